-- One row per key, of a record or of an entry, that stands more than once among the records just read in.
CREATE OR REPLACE TEMP TABLE repeated_key AS
SELECT key, false AS is_known FROM fresh_key GROUP BY key HAVING count(*) > 1
UNION
SELECT entry_key, false FROM fresh_key WHERE entry_key IS NOT NULL GROUP BY entry_key HAVING count(*) > 1
