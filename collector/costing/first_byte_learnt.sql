-- One row per model and hour: how long after its receipt a stream begins, by what was counted or seen in 24 hours.
CREATE OR REPLACE TEMP TABLE first_byte_learnt AS
WITH
-- Even generation: with the share s of the tokens at the abort, the first byte came at (abort - s x end) / (1 - s).
told AS (
    SELECT
        provider, model, finished_at_us,
        (ended_at_us * lost_whole::HUGEINT - finished_at_us::HUGEINT * (lost_whole - lost_part)) // lost_part
            - received_at_us AS wait_us
    FROM special
    WHERE share_evidence = 'tokens' AND stream AND status = 'ok' AND lost_part < lost_whole AND lost_part * 20 > lost_whole
        AND received_at_us IS NOT NULL AND ended_at_us BETWEEN received_at_us AND finished_at_us
        AND finished_at_us >= $learn_from_us AND finished_at_us < $learn_to_us
    UNION ALL
    SELECT provider, model, finished_at_us, from_us - received_at_us
    FROM special
    WHERE first_byte_known AND stream AND received_at_us IS NOT NULL
        AND finished_at_us >= $learn_from_us AND finished_at_us < $learn_to_us
    UNION ALL
    -- A proxy that saw a stream to its end knows when its first byte came; the way between the two is short.
    SELECT provider, model, ended_at_us, first_byte_at_us - started_at_us
    FROM client_call
    WHERE event = 'whole' AND outcome = 'delivered' AND stream AND first_byte_at_us < ended_at_us
        AND at_us >= $learn_from_us AND at_us < $learn_to_us
)
SELECT w.provider, w.model, w.hour_at_us, count(*) AS samples,
    greatest(quantile_disc(t.wait_us, 0.5), 0)::BIGINT AS wait_us
FROM first_byte_wanted AS w
JOIN told AS t
    ON t.provider = w.provider AND t.model = w.model AND t.finished_at_us >= w.hour_at_us - 82800000000
    AND t.finished_at_us < w.hour_at_us + 3600000000
GROUP BY w.provider, w.model, w.hour_at_us
HAVING count(*) >= 5
