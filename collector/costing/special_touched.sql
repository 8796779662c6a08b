-- One row per completion whose own figures have to be drawn again.
CREATE OR REPLACE TEMP TABLE special_touched AS
WITH
core AS (
    SELECT provider, account, completion_id, finished_at_us FROM match_touched
    UNION
    SELECT provider, account, completion_id, finished_at_us
    FROM backend_completion
    WHERE batch_id > $from_batch AND status <> 'ok'
    UNION
    -- what is told by its observer's clock, and by which first bytes are learnt
    SELECT p.provider, p.account, p.completion_id, p.finished_at_us
    FROM special AS p
    JOIN suspect AS s ON s.suspect_no = p.suspect_no
    SEMI JOIN end_moved AS m
        ON m.source = s.source AND m.hour_at_us = s.started_at_us // 3600000000 * 3600000000
    WHERE p.finished_at_us >= (SELECT min(hour_at_us) FROM end_moved)
),
-- What is learnt of first bytes in an hour is used in it and in the 23 that follow.
hour AS (
    SELECT DISTINCT l.hour_at_us + k.hours * 3600000000 AS hour_at_us
    FROM (
        SELECT finished_at_us // 3600000000 * 3600000000 AS hour_at_us FROM core
        UNION
        SELECT at_us // 3600000000 * 3600000000
        FROM client_call
        WHERE batch_id > $from_batch AND event = 'whole' AND outcome = 'delivered' AND stream
            AND first_byte_at_us IS NOT NULL
    ) AS l
    CROSS JOIN (SELECT unnest(range(24)) AS hours) AS k
)
SELECT provider, account, completion_id, finished_at_us FROM core
UNION
SELECT s.provider, s.account, s.completion_id, s.finished_at_us
FROM special AS s
SEMI JOIN hour AS h ON h.hour_at_us = s.finished_at_us // 3600000000 * 3600000000
WHERE s.share_evidence = 'time' AND NOT s.first_byte_known
    AND s.finished_at_us >= (SELECT min(hour_at_us) FROM hour)
