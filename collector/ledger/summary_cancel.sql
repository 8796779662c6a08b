-- One row per provider, model and mode as the metrics may name them: aborts that stopped the work, and that did not.
SELECT
    CASE WHEN c.provider = '' OR p.value IS NOT NULL THEN c.provider ELSE 'other' END AS provider_label,
    CASE WHEN c.model = '' OR m.value IS NOT NULL THEN c.model ELSE 'other' END AS model_label,
    c.mode, sum(c.honored) AS honored, sum(c.ignored) AS ignored
FROM cancel_count AS c
LEFT JOIN label_value AS p ON p.label = 'provider' AND p.value = c.provider
LEFT JOIN label_value AS m ON m.label = 'model' AND m.value = c.model
WHERE c.honored + c.ignored > 0
GROUP BY provider_label, model_label, c.mode
ORDER BY provider_label, model_label, c.mode
