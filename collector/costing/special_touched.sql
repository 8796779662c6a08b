-- One row per completion whose own figures have to be drawn again.
CREATE OR REPLACE TEMP TABLE special_touched AS
SELECT provider, account, completion_id, finished_at_us FROM match_touched
UNION
SELECT provider, account, completion_id, finished_at_us
FROM backend_completion
WHERE batch_id > $from_batch AND status <> 'ok'
