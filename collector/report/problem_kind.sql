-- One row per kind of problem that was put on record since the week began, the most frequent first.
SELECT kind, count(*) AS problems
FROM problem
WHERE seen_at_us >= $start_us
GROUP BY kind
ORDER BY problems DESC, kind
LIMIT $kinds_max
