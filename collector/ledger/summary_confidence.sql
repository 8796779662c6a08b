-- One row per provider and model: the mean probability of the last 30 days' matches by time and size, to six places.
SELECT
    CASE WHEN p.value IS NOT NULL OR v.provider IS NULL THEN coalesce(v.provider, '') ELSE 'other' END AS provider_label,
    CASE WHEN m.value IS NOT NULL OR v.model IS NULL THEN coalesce(v.model, '') ELSE 'other' END AS model_label,
    round(avg(v.match_probability), 6) AS confidence
FROM verdict_current AS v
LEFT JOIN label_value AS p ON p.label = 'provider' AND p.value = v.provider
LEFT JOIN label_value AS m ON m.label = 'model' AND m.value = v.model
WHERE v.money_row AND v.evidence = 'probable' AND v.match_probability IS NOT NULL
    AND v.started_at_us > $now_us - 2592000000000
GROUP BY ALL
ORDER BY ALL
