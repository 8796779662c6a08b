-- One row per line of the batch that a client log tells of a job: of the wait for it, or of its cancel.
CREATE OR REPLACE TEMP VIEW job_parsed AS
WITH
field AS (
    SELECT
        file_id,
        line_no,
        CASE WHEN contains(line, '"job_wait_') OR contains(line, '"cancel_') THEN TRY(json_transform(line, '{"event":"VARCHAR","call_id":"VARCHAR","at":"VARCHAR","job_id":"VARCHAR","service":"VARCHAR","provider":"VARCHAR","account":"VARCHAR","model":"VARCHAR","operation":"VARCHAR","process":"VARCHAR","outcome":"VARCHAR","reason":"VARCHAR","cancel_outcome":"VARCHAR","state":"VARCHAR"}')) END AS v
    FROM client_line
),
typed AS (
    SELECT
        file_id, line_no, v, instant_us(v.at) AS at_us, job_state(v.state) AS state,
        CASE v.event
            WHEN 'job_wait_started' THEN 'wait_started' WHEN 'job_wait_ended' THEN 'wait_ended' ELSE v.event
        END AS event
    FROM field
    WHERE v.event IN ('job_wait_started', 'job_wait_ended', 'cancel_requested', 'cancel_ended')
)
SELECT
    getvariable('source')::VARCHAR AS source,
    v.call_id || ' ' || event AS event_key,
    job_key(v.job_id) AS job_key,
    v.job_id AS job_id,
    event,
    at_us,
    at_us AS logged_at_us,
    NULL::BIGINT AS created_at_us,
    v.call_id AS call_id,
    v.provider AS provider,
    v.account AS account,
    v.model AS model,
    v.operation AS kind,
    v.service AS service,
    v.process AS process,
    v.outcome AS outcome,
    CASE WHEN v.outcome = 'aborted' THEN coalesce(v.reason, 'disconnect') ELSE v.reason END AS reason,
    state,
    -- Anthropic's batches end in one state, cancelled or not: there the client says which.
    CASE WHEN v.cancel_outcome = 'confirmed' THEN 'cancelled' ELSE job_status(state) END AS status,
    v.cancel_outcome AS cancel_outcome,
    NULL::VARCHAR AS price_class,
    NULL::BIGINT AS input_tokens,
    NULL::BIGINT AS cached_input_tokens,
    NULL::BIGINT AS output_tokens,
    NULL::BIGINT AS thinking_tokens,
    NULL::BIGINT AS images,
    NULL::BIGINT AS requests_total,
    NULL::BIGINT AS requests_done,
    NULL::BIGINT AS requests_failed,
    file_id,
    line_no,
    getvariable('batch_id')::BIGINT AS batch_id,
    CASE
        WHEN v.call_id IS NULL OR v.call_id = '' THEN 'no "call_id"'
        WHEN v.job_id IS NULL OR v.job_id = '' THEN 'no "job_id"'
        WHEN v.at IS NULL THEN 'no "at"'
        WHEN at_us IS NULL THEN '"at" is no instant of RFC 3339 between 2000 and 2100'
        WHEN is_no_text(v.job_id) OR is_no_text(v.call_id) THEN '"job_id" or "call_id" is no text'
        WHEN is_no_text(v.model) OR is_no_text(v.provider) THEN '"model" or "provider" is no text'
        WHEN event = 'wait_ended' AND coalesce(v.outcome, '') NOT IN ('delivered', 'aborted', 'failed')
        THEN '"outcome" is none of delivered, aborted, failed'
        WHEN event = 'wait_ended' AND v.outcome = 'aborted' AND v.reason IS NOT NULL
            AND v.reason NOT IN ('interrupt', 'cancelled', 'timeout', 'disconnect', 'error')
        THEN '"reason" is none of interrupt, cancelled, timeout, disconnect, error'
        WHEN event = 'cancel_ended' AND coalesce(v.cancel_outcome, '') NOT IN ('confirmed', 'too_late', 'unconfirmed', 'failed')
        THEN '"cancel_outcome" is none of confirmed, too_late, unconfirmed, failed'
    END AS fate
FROM typed;
