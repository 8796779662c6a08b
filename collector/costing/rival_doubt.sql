-- One row per touched suspect whose completion is in doubt, and completion that it may be.
CREATE OR REPLACE TEMP TABLE rival_doubt AS
SELECT r.suspect_no, r.provider, r.account, r.completion_id, r.finished_at_us, r.probability
FROM rival AS r
JOIN verdict_touched AS t ON t.suspect_no = r.suspect_no
WHERE r.suspect_no NOT IN (
    SELECT suspect_no FROM verdict_match WHERE evidence = 'exact' OR probability >= 0.95
)
