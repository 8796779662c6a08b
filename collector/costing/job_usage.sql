-- One row per job whose usage enters or leaves the logged usage of its bucket.
INSERT INTO usage_slot
WITH
now AS (
    SELECT job_no, provider, account, model, price_class, status, finished_at_us, input_tokens, cached_input_tokens,
        output_tokens, thinking_tokens, images
    FROM job_changed
),
was AS (
    SELECT job_no, provider, account, model, price_class, status, finished_at_us, input_tokens, cached_input_tokens,
        output_tokens, thinking_tokens, images
    FROM job_before
),
moved AS (
    SELECT *, 1 AS sign FROM (SELECT * FROM now EXCEPT SELECT * FROM was)
    UNION ALL
    SELECT *, -1 AS sign FROM (SELECT * FROM was EXCEPT SELECT * FROM now)
)
SELECT
    finished_at_us // 900000000 * 900000000, provider, account, model, price_class, status, sum(sign),
    sum(sign * coalesce(input_tokens, 0)), sum(sign * coalesce(cached_input_tokens, 0)),
    sum(sign * coalesce(output_tokens, 0)), sum(sign * coalesce(thinking_tokens, 0)), sum(sign * coalesce(images, 0)),
    $to_batch
FROM moved
WHERE finished_at_us IS NOT NULL AND provider IS NOT NULL AND model IS NOT NULL
    AND coalesce(input_tokens, cached_input_tokens, output_tokens, thinking_tokens, images) IS NOT NULL
GROUP BY ALL
ORDER BY ALL
