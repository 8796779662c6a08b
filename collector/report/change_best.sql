-- One row: the change that saves most of what is left to save in one currency, and what was counted for it.
SELECT
    change_no, kind, service, provider, model, operation, mode, reason, deadline_us, deadline_high_us, target_us, counted, counted_of,
    overrun_us, other, other_counted, other_of, count(*) AS aborts, sum(saved_nano)::HUGEINT AS saved_nano,
    sum(low_nano)::HUGEINT AS low_nano, sum(high_nano)::HUGEINT AS high_nano
FROM change_offer
WHERE currency = $currency
GROUP BY ALL
-- one or two calls are an anecdote
HAVING count(*) >= $aborts_min
ORDER BY saved_nano DESC, change_no
LIMIT 1
