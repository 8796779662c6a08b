-- One row per waiting line whose text stands more than once (a hash in common is enough): taken in after the others.
CREATE OR REPLACE TEMP TABLE set_aside AS
WITH told AS MATERIALIZED (
    SELECT file_id, line_no, hash(line) AS text_hash FROM line_batch
)
SELECT file_id, line_no
FROM told
WHERE text_hash IN (SELECT text_hash FROM told GROUP BY text_hash HAVING count(*) > 1)
