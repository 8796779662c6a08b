-- One row: the instants between which suspects began that something new may match, to be bound as constants.
SELECT min(at_us) - $window_us AS active_from_us, max(at_us) + $window_us AS active_to_us
FROM (
    SELECT finished_at_us AS at_us FROM backend_completion WHERE batch_id > $from_batch
    UNION ALL
    SELECT started_at_us FROM client_call WHERE batch_id > $from_batch AND event <> 'ended'
    UNION ALL
    SELECT started_at_us FROM new_suspect
)
