-- One row per waiting line whose key stands more than once: it has to be looked at.
CREATE OR REPLACE TEMP TABLE repeating_line AS
SELECT file_id, line_no
FROM fresh_key
WHERE key IN (SELECT key FROM repeated_key) OR entry_key IN (SELECT key FROM repeated_key)
