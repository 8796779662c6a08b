-- One row per verdict and evidence of the last 30 days' attempts.
SELECT verdict, evidence, count(*) AS aborts
FROM verdict_current
WHERE money_row AND started_at_us > $now_us - 2592000000000
GROUP BY verdict, evidence
ORDER BY verdict, evidence
