-- One row per quarter of an hour and kind of work among the new completions.
INSERT INTO usage_slot
SELECT
    finished_at_us // 900000000 * 900000000 AS slot_at_us, provider, account, model, price_class, status,
    count(*), sum(coalesce(input_tokens, 0)), sum(coalesce(cached_input_tokens, 0)),
    sum(coalesce(output_tokens, 0)), sum(coalesce(thinking_tokens, 0)), sum(coalesce(images, 0)), $to_batch
FROM backend_completion
WHERE batch_id > $from_batch
GROUP BY ALL
ORDER BY ALL
