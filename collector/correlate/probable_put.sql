-- One row per lone suspect and its chosen completion, where the pair is likely enough.
INSERT INTO chosen_match BY NAME
WITH
won AS (
    SELECT * FROM scored_edge WHERE chosen AND probability >= $threshold
),
member AS (
    SELECT
        w.*, k.suspect_no, k.source, k.hop, k.started_at_us, k.contender_no, k.outcome, f.received_at_us, f.status,
        o.absorbs,
        k.suspect_no IS NOT NULL AND (k.outcome IN ('aborted', 'vanished') OR f.status = 'ok') AS is_abort
    FROM won AS w
    JOIN fold AS m ON m.attempt_no = w.attempt_no
    JOIN contender AS k ON k.contender_no = m.contender_no
    JOIN observer AS o ON o.source = k.source
    JOIN free_completion AS f ON f.completion_no = w.completion_no
),
attempt AS (
    SELECT
        attempt_no,
        min(suspect_no) AS first_suspect_no,
        max(hop) FILTER (is_abort) AS abort_hop,
        arg_min(contender_no, (-hop, started_at_us, contender_no)) FILTER (is_abort) AS money_no,
        max(hop) FILTER (outcome = 'delivered') AS delivered_hop,
        bool_or(absorbs AND outcome = 'delivered') AS absorbed
    FROM member
    GROUP BY attempt_no
)
SELECT
    m.suspect_no, m.provider, m.account, m.completion_id, m.finished_at_us, m.received_at_us,
    'probable' AS evidence, m.probability, a.first_suspect_no AS attempt_no, m.contender_no = a.money_no AS money_row,
    coalesce(a.delivered_hop > a.abort_hop, false) OR coalesce(a.absorbed, false) AS delivered_outside,
    NULL::BIGINT AS bytes_total
FROM member AS m
JOIN attempt AS a ON a.attempt_no = m.attempt_no
WHERE m.is_abort
ORDER BY m.finished_at_us, m.suspect_no
