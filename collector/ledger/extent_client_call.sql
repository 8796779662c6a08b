-- One row: the instants between which the staged records lie, and how many keys of theirs are there more than once.
SELECT
    min(at_us), max(at_us), count(*),
    count(*) - count(DISTINCT hash(call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END))
FROM staged_client_call
WHERE fate IS NULL
