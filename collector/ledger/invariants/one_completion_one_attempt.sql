-- One row per completion that the changed matches give to more than one attempt, or whose money stands on two rows.
SELECT provider, account, completion_id, count(DISTINCT attempt_no) AS attempts,
    count(*) FILTER (money_row) AS money_rows
FROM match_changed
WHERE completion_id IS NOT NULL
GROUP BY provider, account, completion_id, finished_at_us
HAVING count(DISTINCT attempt_no) > 1 OR count(*) FILTER (money_row) <> 1
