-- One row per window, evidence, basis and currency: the best figure of what was lost.
SELECT span, evidence, basis, currency, sum(nano) AS nano
FROM window_loss
GROUP BY ALL
ORDER BY ALL
