-- One row per record just read in whose key stands more than once: it has to be looked at.
CREATE OR REPLACE TEMP TABLE repeating_line AS
SELECT DISTINCT file_id, line_no
FROM fresh_key
WHERE key IN (SELECT key FROM repeated_key) OR entry_key IN (SELECT key FROM repeated_key)
