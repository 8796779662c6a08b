-- One row per label set and spend counter that a changed verdict moves.
INSERT INTO counter_change
WITH moved AS (
    SELECT 'recognized_spend_total' AS name, [provider, model, service, reason, currency] AS labels, nano AS delta
    FROM count_movement
    WHERE counted_no IS NULL
    UNION ALL
    SELECT CASE WHEN nano > old_nano THEN 'spend_corrected_up_total' ELSE 'spend_corrected_down_total' END,
        [provider, model, service, reason, currency], abs(nano - old_nano)
    FROM count_movement
    WHERE verdict IS NOT NULL AND counted_no IS NOT NULL
        AND (provider, model, service, reason, currency)
            = (old_provider, old_model, old_service, old_reason, old_currency)
    UNION ALL
    SELECT 'spend_corrected_up_total', [provider, model, service, reason, currency], nano
    FROM count_movement
    WHERE verdict IS NOT NULL AND counted_no IS NOT NULL
        AND (provider, model, service, reason, currency)
            <> (old_provider, old_model, old_service, old_reason, old_currency)
    UNION ALL
    SELECT 'spend_corrected_down_total', [old_provider, old_model, old_service, old_reason, old_currency], old_nano
    FROM count_movement
    WHERE counted_no IS NOT NULL
        AND (verdict IS NULL OR (provider, model, service, reason, currency)
            <> (old_provider, old_model, old_service, old_reason, old_currency))
)
SELECT $run_id, $now_us, name, labels, sum(delta)
FROM moved
GROUP BY name, labels
HAVING sum(delta) > 0
ORDER BY name, labels
