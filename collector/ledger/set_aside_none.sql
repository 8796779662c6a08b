-- One row per waiting line whose text stands more than once: nobody has looked.
CREATE OR REPLACE TEMP TABLE set_aside (file_id BIGINT, line_no BIGINT)
