-- One row per touched completion whose delivered share is known by time alone, with its likely first byte.
CREATE OR REPLACE TEMP TABLE special_time AS
WITH
placed AS (
    SELECT
        s.*,
        CASE WHEN s.some_bytes THEN least(s.received_at_us + l.wait_us, s.ended_at_us) ELSE s.received_at_us + l.wait_us END
            AS likely_us
    FROM special AS s
    SEMI JOIN special_touched AS t
        ON t.provider = s.provider AND t.account = s.account AND t.completion_id = s.completion_id
        AND t.finished_at_us = s.finished_at_us
    JOIN first_byte_learnt AS l
        ON l.provider = s.provider AND l.model = s.model
        AND l.hour_at_us = s.finished_at_us // 3600000000 * 3600000000
    WHERE s.share_evidence = 'time' AND NOT s.first_byte_known AND s.ended_at_us < s.finished_at_us
),
bounded AS (
    SELECT *, greatest(least(likely_us, finished_at_us - 1), from_us) AS begin_us FROM placed
)
SELECT
    * EXCLUDE (likely_us, begin_us) REPLACE (
        -- tokens are whole: as many have arrived as were ready by then
        output_tokens - greatest(
            ((greatest(ended_at_us - begin_us, 0))::HUGEINT * output_tokens // (finished_at_us - begin_us))::BIGINT,
            CASE WHEN some_bytes THEN 1 ELSE 0 END
        ) AS lost_part,
        output_tokens AS lost_whole,
        output_tokens AS high_part
    )
FROM bounded
WHERE finished_at_us - begin_us > 1 AND output_tokens > 0 AND lost_whole = output_tokens
