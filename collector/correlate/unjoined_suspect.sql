-- One row per suspect near the drawn hours that no id has joined to a completion: who may race.
CREATE OR REPLACE TEMP TABLE unjoined_suspect AS
WITH
near AS MATERIALIZED (
    SELECT suspect_no, provider, model, started_at_us
    FROM suspect
    WHERE started_at_us >= $scan_from_us AND started_at_us < $race_to_us + $margin_us
)
SELECT *
FROM near
WHERE suspect_no NOT IN (
    -- first the few that are near, so that no table is built of every match there ever was
    SELECT m.suspect_no FROM chosen_match AS m JOIN near AS n ON n.suspect_no = m.suspect_no WHERE m.evidence = 'exact'
)
