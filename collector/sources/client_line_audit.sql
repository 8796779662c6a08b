-- One row per line of the batch: an audit entry is no line of a client log, so '{}'; NULL where it is no entry.
CREATE OR REPLACE TEMP VIEW client_line AS
SELECT file_id, line_no, CASE WHEN v IS NOT NULL THEN '{}' END AS line FROM audit_field
