-- One row per source and kind of problem.
SELECT source, kind, count(*) AS times, max(seen_at_us) AS last_seen_at_us, arg_max(place || ': ' || message, seen_at_us) AS example
FROM problem
GROUP BY source, kind
ORDER BY source, kind
