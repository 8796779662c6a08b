-- One row per answer of the week that came after its caller's limit had fired; limit_us is -1 where no limit of the route stands out.
CREATE OR REPLACE TEMP TABLE timeout_answer AS
SELECT
    suspect_no, currency, service, provider, model, operation, mode, deadline_us,
    finished_at_us - started_at_us AS took_us,
    -- a limit that somebody set fires often; where waits are spread, the route's callers have many
    CASE WHEN count(*) OVER same_limit * 4 >= count(*) OVER route THEN deadline_us ELSE -1 END AS limit_us
FROM week_abort
WHERE deadline_us IS NOT NULL AND verdict = 'orphaned' AND finished_at_us > ended_at_us AND orphaned_nano > 0
    AND currency IS NOT NULL
WINDOW
    route AS (PARTITION BY currency, service, provider, model, operation, mode),
    same_limit AS (PARTITION BY currency, service, provider, model, operation, mode, deadline_us)
