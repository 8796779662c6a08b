-- One row: the instants between which the staged records lie, and how many keys of theirs are there more than once.
SELECT
    min(finished_at_us), max(finished_at_us), count(*),
    greatest(count(*) - count(DISTINCT hash(coalesce(account, ''), completion_id)), count(insert_id) - count(DISTINCT CASE WHEN insert_id IS NOT NULL THEN hash(log_name, insert_id, finished_at_us) END))
FROM staged_backend_completion
WHERE fate IS NULL
