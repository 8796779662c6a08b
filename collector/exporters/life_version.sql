-- One row per version of the verdict on each of the suspects, the oldest first.
SELECT *
FROM main.verdict
WHERE suspect_no IN (SELECT unnest($suspect_nos)) AND recorded_at_us <= $now_us
ORDER BY suspect_no, run_id
