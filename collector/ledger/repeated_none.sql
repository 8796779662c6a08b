-- No row: every staged record is new.
CREATE OR REPLACE TEMP TABLE repeated AS
SELECT NULL::BIGINT AS row_no, NULL::BIGINT AS file_id, NULL::BIGINT AS line_no, '' AS key, false AS differs LIMIT 0
