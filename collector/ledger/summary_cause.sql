-- One row per window, provider, model, service, reason and currency: the best figure of what was lost.
SELECT span, provider, model, service, reason, currency, sum(nano) AS nano
FROM window_loss
GROUP BY ALL
ORDER BY ALL
