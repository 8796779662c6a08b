-- One row per thing that was wrong with the data, in the words of `orphaned export problems`.
SELECT source, kind, place, message, instant_text(seen_at_us) AS seen_at, excerpt
FROM problem
WHERE seen_at_us >= $from_us AND seen_at_us < $to_us
ORDER BY seen_at_us, rowid
