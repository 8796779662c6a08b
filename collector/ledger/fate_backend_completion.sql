-- One row: how many staged lines are records, invalid, and of no interest.
SELECT
    count(*) FILTER (fate IS NULL), count(*) FILTER (fate <> 'ignored'), count(*) FILTER (fate = 'ignored')
FROM staged_backend_completion
