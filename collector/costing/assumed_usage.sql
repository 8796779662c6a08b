-- One row per assumed completion that enters or leaves the logged usage of its bucket.
INSERT INTO usage_slot
WITH moved AS (
    SELECT *, 1 AS sign FROM assumed_new WHERE billed
    UNION ALL BY NAME
    SELECT *, -1 AS sign FROM assumed_gone WHERE billed
)
SELECT
    finished_at_us // 900000000 * 900000000, provider, account, model, NULL, 'ok', sum(sign),
    sum(sign * coalesce(input_tokens, 0)), 0, sum(sign * coalesce(output_tokens, 0)), 0, 0, $to_batch
FROM moved
GROUP BY ALL
ORDER BY ALL
