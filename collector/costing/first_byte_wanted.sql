-- One row per model and hour in which a share by time has to know when streams begin.
CREATE OR REPLACE TEMP TABLE first_byte_wanted AS
SELECT DISTINCT s.provider, s.model, s.finished_at_us // 3600000000 * 3600000000 AS hour_at_us
FROM special AS s
SEMI JOIN special_touched AS t
    ON t.provider = s.provider AND t.account = s.account AND t.completion_id = s.completion_id
    AND t.finished_at_us = s.finished_at_us
WHERE s.share_evidence = 'time' AND NOT s.first_byte_known AND s.received_at_us IS NOT NULL
