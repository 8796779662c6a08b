-- One row per lone suspect, drawn hour and completion that it may be there: the five likeliest; won: chosen among them.
CREATE OR REPLACE TEMP TABLE claim_new AS
WITH
member AS (
    SELECT
        e.*, k.suspect_no, k.hour_at_us, k.hop, k.started_at_us, k.contender_no, k.outcome, f.received_at_us,
        o.absorbs,
        k.suspect_no IS NOT NULL AND (k.outcome IN ('aborted', 'vanished') OR f.status = 'ok') AS is_abort
    FROM scored_edge AS e
    JOIN fold AS m ON m.attempt_no = e.attempt_no
    JOIN contender AS k ON k.contender_no = m.contender_no
    JOIN observer AS o ON o.source = k.source
    JOIN free_completion AS f ON f.completion_no = e.completion_no AND f.home
    WHERE e.chosen OR (k.suspect_no IS NOT NULL AND e.probability >= 0.001)
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
    WHERE chosen
    GROUP BY attempt_no
)
SELECT
    m.suspect_no, m.hour_at_us, m.provider, m.account, m.completion_id, m.finished_at_us, m.received_at_us, m.chosen AS won,
    m.probability, m.weight, m.start_term, m.end_term, m.size_term, m.kind_term, m.chosen AND m.is_abort AS is_abort,
    CASE WHEN m.chosen THEN a.first_suspect_no END AS attempt_no,
    m.chosen AND coalesce(m.contender_no = a.money_no, false) AS money_row,
    m.chosen AND (coalesce(a.delivered_hop > a.abort_hop, false) OR coalesce(a.absorbed, false)) AS delivered_outside
FROM member AS m
LEFT JOIN attempt AS a ON a.attempt_no = m.attempt_no
WHERE m.suspect_no IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY m.suspect_no, m.hour_at_us ORDER BY m.chosen DESC, m.probability DESC, m.finished_at_us, m.completion_no
) <= 5
