-- One row per call of the slice: what the client did, and what the backend did for it.
CREATE OR REPLACE TEMP TABLE call AS
WITH
-- Each draw is a number from 0 up to 1 that depends on the call's number, the seed and its own name, and on nothing else.
drawn AS (
    SELECT
        j,
        md5($seed || ':' || j) AS id,
        unit(j, 'jitter') AS jitter, unit(j, 'account') AS account_draw, unit(j, 'model') AS model_draw,
        unit(j, 'stream') < 0.5 AS stream, unit(j, 'input') AS input_draw, unit(j, 'cached') < 0.3 AS is_cached,
        unit(j, 'output') AS output_draw, unit(j, 'fate') AS fate_draw, unit(j, 'reason') AS reason_draw,
        unit(j, 'backend') AS backend_draw, unit(j, 'when') AS when_draw, unit(j, 'edge') < $edge_share AS through_edge,
        unit(j, 'twice') < $twice_share AS logged_twice, unit(j, 'service') AS service_draw
    FROM (SELECT unnest(generate_series($first, $first + $calls - 1)) AS j)
),
sized AS (
    SELECT
        *,
        $end_us + CAST((j + 0.9 * jitter) * $gap_us AS BIGINT) AS started_at_us,
        CASE WHEN account_draw < 0.7 THEN 'acme-prod' ELSE 'acme-dev' END AS account,
        CASE WHEN model_draw < 0.6 THEN 'acme-chat-1' WHEN model_draw < 0.9 THEN 'acme-mini-1' ELSE 'acme-reason-1' END
            AS model,
        CASE WHEN service_draw < 0.6 THEN 'chat-api' WHEN service_draw < 0.9 THEN 'search' ELSE 'batch-tools' END
            AS service,
        50 + CAST(input_draw * input_draw * 6000 AS BIGINT) AS input_tokens,
        20 + CAST(output_draw * output_draw * 1500 AS BIGINT) AS whole_output,
        CASE WHEN fate_draw < $abort_share THEN 'aborted'
            WHEN fate_draw < $abort_share + $vanished_share THEN 'vanished' ELSE 'delivered' END AS fate
    FROM drawn
),
timed AS (
    SELECT
        *,
        started_at_us + 4000 AS received_at_us,
        300000 + whole_output * 12000 AS full_us,
        CAST((0.05 + 0.9 * when_draw) * (300000 + whole_output * 12000) AS BIGINT) AS abort_after_us,
        CASE WHEN fate = 'delivered' THEN 'ok' WHEN backend_draw < 0.15 THEN 'cancelled'
            WHEN backend_draw < 0.18 THEN 'error' ELSE 'ok' END AS status
    FROM sized
),
worked AS (
    SELECT
        *,
        CASE WHEN status = 'ok' THEN full_us ELSE abort_after_us + 50000 END AS work_us,
        CASE WHEN status = 'ok' THEN whole_output
            ELSE greatest(whole_output * abort_after_us // full_us, 1) END AS output_tokens
    FROM timed
)
SELECT
    j, account, model, service, stream, fate, status, through_edge, logged_twice,
    'call-' || left(id, 16) AS call_id, 'req-' || right(id, 20) AS request_id,
    md5(id) AS trace_id, substr(id, 9, 16) AS span_id, substr(id, 5, 20) AS insert_id,
    started_at_us, received_at_us, received_at_us + work_us AS finished_at_us,
    CASE fate WHEN 'delivered' THEN received_at_us + work_us + 4000 WHEN 'aborted' THEN started_at_us + abort_after_us END
        AS ended_at_us,
    started_at_us + least(abort_after_us, work_us) AS left_at_us,
    CASE WHEN fate <> 'aborted' THEN NULL WHEN reason_draw < 0.5 THEN 'timeout' WHEN reason_draw < 0.8 THEN 'cancelled'
        ELSE 'interrupt' END AS reason,
    input_tokens, CASE WHEN is_cached THEN input_tokens // 2 ELSE 0 END AS cached_tokens, output_tokens,
    CASE WHEN model = 'acme-reason-1' THEN output_tokens * 2 ELSE 0 END AS thinking_tokens,
    CASE WHEN fate = 'delivered' THEN output_tokens
        WHEN NOT stream THEN 0 ELSE least(whole_output * abort_after_us * 9 // (full_us * 10), output_tokens) END
        AS received_tokens
FROM worked
