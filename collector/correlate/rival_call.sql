-- One row per call of rival_met and hour: what its observer says; home: it began there; races: there or where it ended.
CREATE OR REPLACE TEMP TABLE rival_call AS
WITH
near AS (
    SELECT c.*, m.hour_at_us, m.at_end, (c.started_at_us + 1800000000) // 3600000000 * 3600000000 AS border_us
    FROM client_call AS c
    JOIN rival_met AS m ON m.file_id = c.file_id AND m.line_no = c.line_no
    WHERE c.event <> 'ended' AND c.at_us >= $scan_from_us AND c.at_us < $scan_to_us
),
ended AS (
    SELECT c.source, c.call_id, c.at_us, c.outcome, c.response_id, c.output_tokens_received
    FROM client_call AS c
    SEMI JOIN near AS n ON n.source = c.source AND n.call_id = c.call_id AND n.event = 'started'
    WHERE c.event = 'ended' AND c.at_us >= $scan_from_us AND c.at_us < $scan_to_us
),
placed AS (
    SELECT
        n.*,
        CASE WHEN n.started_at_us >= coalesce(k.cut_us, n.border_us) THEN n.border_us ELSE n.border_us - 3600000000 END
            AS own_hour_at_us
    FROM near AS n
    LEFT JOIN hour_cut AS k ON k.provider = n.provider AND k.model = n.model AND k.border_us = n.border_us
)
SELECT
    n.source, n.call_id, n.started_at_us, coalesce(e.at_us, n.ended_at_us) AS ended_at_us, n.provider, n.account,
    n.model, n.stream, n.request_id, n.received_request_id, n.trace_id, n.span_id,
    coalesce(e.response_id, n.response_id) AS response_id, n.input_tokens,
    coalesce(e.outcome, n.outcome) AS outcome,
    coalesce(e.output_tokens_received, n.output_tokens_received) AS output_tokens_received, n.hour_at_us,
    n.own_hour_at_us = n.hour_at_us AS home, n.own_hour_at_us = n.hour_at_us OR n.at_end AS races
FROM placed AS n
LEFT JOIN ended AS e
    ON e.source = n.source AND e.call_id = n.call_id
    AND e.at_us BETWEEN n.started_at_us AND n.started_at_us + $lasting_us
-- first the few that may be the same, so that no table is built of every suspect there ever was
ANTI JOIN (
    SELECT k.source, k.call_id, k.started_at_us FROM suspect AS k JOIN near AS n ON n.started_at_us = k.started_at_us
) AS s
    ON s.source = n.source AND s.call_id = n.call_id AND s.started_at_us = n.started_at_us
