-- One row: the instants between which old lines lie whose other half has come, or never will; to be bound as constants.
SELECT
    min(ended_at_us) AS met_end_from_us, max(ended_at_us) AS met_end_to_us,
    min(started_at_us) AS met_start_from_us, max(started_at_us) AS met_start_to_us
FROM (
    SELECT started_at_us, ended_at_us FROM met_half
    UNION ALL
    SELECT started_at_us, NULL FROM overdue_call WHERE NOT wrote_on
)
