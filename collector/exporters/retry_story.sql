-- One row per link of the suspect: to the attempt before it, and to the one after it, with what became of them.
WITH link AS (
    SELECT r.*, r.suspect_no = $suspect_no AS is_after
    FROM retry_current AS r
    JOIN suspect AS s ON s.suspect_no = $suspect_no
    WHERE r.suspect_no = $suspect_no
        OR (r.source = s.source AND r.next_call_id = s.call_id AND r.next_started_at_us = s.started_at_us)
),
ended AS (
    SELECT l.suspect_no, arg_min(c.outcome, c.at_us) AS outcome
    FROM link AS l
    JOIN client_call AS c ON c.source = l.source AND c.call_id = l.next_call_id
    WHERE c.event <> 'started' AND (c.event = 'ended' OR c.started_at_us = l.next_started_at_us)
        AND c.at_us >= (SELECT min(next_started_at_us) FROM link)
    GROUP BY l.suspect_no
)
SELECT
    l.is_after, l.call_id, l.next_call_id, l.evidence, l.attempt, l.gap_us, v.ended_at_us, v.verdict, v.cost_nano,
    v.orphaned_nano, v.currency, v.money_row, e.outcome AS next_outcome, n.verdict AS next_verdict,
    n.cost_nano AS next_cost_nano
FROM link AS l
LEFT JOIN verdict_current AS v ON v.suspect_no = l.suspect_no
LEFT JOIN ended AS e ON e.suspect_no = l.suspect_no
LEFT JOIN verdict_current AS n
    ON n.observer = l.source AND n.call_id = l.next_call_id AND n.started_at_us = l.next_started_at_us
ORDER BY l.is_after, l.attempt
