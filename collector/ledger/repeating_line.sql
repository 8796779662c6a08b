-- One row per line that has to be looked at: its record's key stands more than once, or it was set aside.
CREATE OR REPLACE TEMP TABLE repeating_line AS
SELECT DISTINCT file_id, line_no
FROM fresh_key
WHERE key IN (SELECT key FROM repeated_key) OR entry_key IN (SELECT key FROM repeated_key)
UNION
SELECT file_id, line_no FROM set_aside
