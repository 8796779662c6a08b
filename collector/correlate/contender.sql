-- One row per call and hour in the race for a completion: lone suspects, and other calls that may own the same.
CREATE OR REPLACE TEMP TABLE contender AS
WITH together AS (
    SELECT
        suspect_no, source, call_id, started_at_us, ended_at_us, provider, account, model, stream, request_id,
        received_request_id, trace_id, span_id, response_id, input_tokens,
        CASE WHEN reason = 'vanished' THEN 'vanished' ELSE outcome END AS outcome, output_tokens_received,
        hour_at_us, home, true AS races
    FROM lone_suspect
    UNION ALL
    SELECT NULL, * FROM rival_call
)
SELECT
    row_number() OVER (ORDER BY t.hour_at_us, t.started_at_us, t.source, t.call_id, t.ended_at_us) AS contender_no,
    o.hop, t.*
FROM together AS t
JOIN observer AS o ON o.source = t.source
