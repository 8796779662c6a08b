-- One row per line that waits: what it is known again by, and when it was.
CREATE OR REPLACE TEMP TABLE fresh_key AS SELECT file_id, line_no, key, entry_key, at_us FROM line_key
