-- One row per line of the batch, a Cloud Logging entry, that tells of a job: an end of its operation, its state, a look or a cancel.
CREATE OR REPLACE TEMP VIEW job_parsed AS
WITH
named AS (
    SELECT
        *,
        split_part(method, '.', -1) AS verb,
        coalesce(whole(status_code), 0) AS code,
        coalesce(operation_first = 'true', false) AS is_first,
        coalesce(operation_last = 'true', false) AS is_last
    FROM job_field
    WHERE is_object
),
-- An operation may be the making of an endpoint or of a data set: only what files inference is a job.
sorted AS (
    SELECT
        *,
        CASE
            WHEN method IS NULL AND (is_first OR is_last) THEN operation_id
            WHEN regexp_matches(verb, '^(PredictLongRunning|BatchGenerateContent|AsyncBatchEmbedContent|CreateBatchPredictionJob)$')
            THEN coalesce(operation_id, response_name)
            WHEN regexp_matches(verb, '^(Cancel|Get|Wait|Delete)(BatchPredictionJob|Operation|GenerateContentBatch|Batch)$')
                OR verb = 'FetchPredictOperation'
            THEN coalesce(request_name, operation_name, resource_name)
            WHEN method IS NULL THEN job_id
        END AS id,
        CASE
            WHEN method IS NULL AND NOT is_first AND NOT is_last THEN 'state'
            WHEN is_last THEN 'state'
            WHEN starts_with(verb, 'Cancel') THEN 'cancel_requested'
            WHEN regexp_matches(verb, '^(Get|Wait|FetchPredict)') THEN 'looked'
            WHEN starts_with(verb, 'Delete') THEN 'deleted'
            ELSE 'created'
        END AS event
    FROM named
),
stated AS (
    SELECT
        *,
        CASE
            WHEN event <> 'state' THEN NULL
            WHEN NOT is_last THEN job_state(state)
            WHEN code = 0 THEN 'succeeded'
            WHEN code = 1 THEN 'cancelled'
            ELSE 'failed'
        END AS job_state,
        instant_us(logged_at) AS logged_at_us,
        job_instant_us(ended_at) AS ended_at_us,
        job_instant_us(created_at) AS created_at_us
    FROM sorted
    -- an entry about no job, and one of a state that says nothing, are no events
    WHERE id IS NOT NULL AND id <> '' AND (event <> 'state' OR is_last OR state IS NOT NULL)
)
SELECT
    getvariable('source')::VARCHAR AS source,
    coalesce(
        log_name || ' ' || insert_id || ' ' || logged_at, job_key(id) || ' ' || event || ' ' || logged_at || coalesce(' ' || job_state, '')
    ) AS event_key,
    job_key(id) AS job_key,
    id AS job_id,
    event,
    coalesce(CASE WHEN job_status(job_state) IS NOT NULL THEN ended_at_us END, logged_at_us) AS at_us,
    logged_at_us,
    created_at_us,
    NULL::VARCHAR AS call_id,
    getvariable('provider')::VARCHAR AS provider,
    account,
    split_part(coalesce(model, CASE WHEN contains(resource_name, '/models/') THEN resource_name END), '/', -1) AS model,
    kind,
    NULL::VARCHAR AS service,
    NULL::VARCHAR AS process,
    NULL::VARCHAR AS outcome,
    NULL::VARCHAR AS reason,
    job_state AS state,
    job_status(job_state) AS status,
    CASE WHEN event = 'cancel_requested' AND code <> 0 THEN 'failed' END AS cancel_outcome,
    price_class,
    whole(input_tokens) - CASE WHEN getvariable('cached_inside')::BOOLEAN THEN coalesce(whole(cached_input_tokens), 0) ELSE 0 END
        AS input_tokens,
    whole(cached_input_tokens) AS cached_input_tokens,
    whole(output_tokens) - CASE WHEN getvariable('thinking_inside')::BOOLEAN THEN coalesce(whole(thinking_tokens), 0) ELSE 0 END
        AS output_tokens,
    whole(thinking_tokens) AS thinking_tokens,
    whole(images) AS images,
    -- Google writes -1 where it does not know how many were left
    coalesce(whole(requests_total), whole(requests_done) + coalesce(whole(requests_failed), 0) + whole(nullif(requests_left, '-1')))
        AS requests_total,
    whole(requests_done) AS requests_done,
    whole(requests_failed) AS requests_failed,
    file_id,
    line_no,
    getvariable('batch_id')::BIGINT AS batch_id,
    CASE
        WHEN logged_at IS NULL OR logged_at_us IS NULL THEN 'the time of the entry is no instant of RFC 3339 between 2000 and 2100'
        WHEN ended_at IS NOT NULL AND ended_at_us IS NULL THEN 'the time of the end is no instant'
        WHEN created_at IS NOT NULL AND created_at_us IS NULL THEN 'the time of the beginning is no instant'
        WHEN is_no_text(model) THEN 'the model is no text'
        WHEN is_no_count(input_tokens) OR is_no_count(cached_input_tokens) OR is_no_count(output_tokens)
            OR is_no_count(thinking_tokens) OR is_no_count(images)
        THEN 'the usage is no count'
        WHEN is_no_count(requests_total) OR is_no_count(requests_done) OR is_no_count(requests_failed)
            OR (is_no_count(requests_left) AND requests_left <> '-1')
        THEN 'the requests are no count'
        WHEN getvariable('cached_inside')::BOOLEAN AND whole(cached_input_tokens) > coalesce(whole(input_tokens), 0)
        THEN 'more cached input tokens than input tokens'
        WHEN getvariable('thinking_inside')::BOOLEAN AND whole(thinking_tokens) > coalesce(whole(output_tokens), 0)
        THEN 'more thinking tokens than output tokens'
    END AS fate
FROM stated;
