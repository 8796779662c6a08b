-- One row per suspect that is opened because it stands in the same chain, or wants the same call, as an open one.
INSERT INTO retry_open
WITH
edge AS (
    SELECT suspect_no, source, next_call_id, next_started_at_us FROM retry_candidate
    UNION ALL
    SELECT suspect_no, source, next_call_id, next_started_at_us FROM retry_edge
),
reach AS (
    SELECT suspect_no, source, next_call_id AS call_id, next_started_at_us AS started_at_us
    FROM edge
    WHERE suspect_no IN (SELECT suspect_no FROM retry_open)
),
seat AS (
    SELECT suspect_no, source, call_id, started_at_us
    FROM suspect
    WHERE suspect_no IN (SELECT suspect_no FROM retry_open)
),
found AS (
    SELECT e.suspect_no
    FROM edge AS e
    JOIN (SELECT source, call_id, started_at_us FROM reach UNION SELECT source, call_id, started_at_us FROM seat) AS m
        ON m.source = e.source AND m.call_id = e.next_call_id AND m.started_at_us = e.next_started_at_us
    UNION
    SELECT s.suspect_no
    FROM suspect AS s
    JOIN reach AS r ON r.source = s.source AND r.call_id = s.call_id AND r.started_at_us = s.started_at_us
)
SELECT suspect_no FROM found WHERE suspect_no NOT IN (SELECT suspect_no FROM retry_open)
