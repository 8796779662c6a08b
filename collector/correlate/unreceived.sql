-- One row per free completion whose log does not tell when it was received, numbered by its finish.
CREATE OR REPLACE TEMP TABLE unreceived AS
SELECT
    provider, model, account, hour_at_us, completion_no, finished_at_us,
    row_number() OVER (
        PARTITION BY provider, model, account, hour_at_us ORDER BY finished_at_us, completion_no
    ) AS place
FROM free_completion
WHERE received_at_us IS NULL
