-- One row per line of the batch: the completion it tells, with token counts split into leaves, or its fate.
CREATE OR REPLACE TEMP VIEW completion_parsed AS
WITH typed AS (
    SELECT
        *,
        instant_us(finished_at) AS finished_at_us,
        seconds_us(latency) AS latency_us,
        instant_us(first_byte_at) AS first_byte_us,
        whole(input_tokens) AS input_count,
        whole(cached_input_tokens) AS cached_count,
        whole(output_tokens) AS output_count,
        whole(thinking_tokens) AS thinking_count,
        whole(images) AS image_count,
        coalesce(starts_with(model, 'claude') OR contains(model, 'anthropic'), false) AS is_claude
    FROM completion_field
),
-- Whether a provider's counts include one another (source: collector/sources/token_counts.py).
leaves AS (
    SELECT
        *,
        CASE WHEN is_claude THEN 0 WHEN getvariable('cached_inside')::BOOLEAN THEN coalesce(cached_count, 0) ELSE 0 END
            AS cached_inside,
        CASE WHEN is_claude OR getvariable('thinking_inside')::BOOLEAN THEN coalesce(thinking_count, 0) ELSE 0 END
            AS thinking_inside
    FROM typed
)
SELECT
    getvariable('source')::VARCHAR AS source,
    getvariable('provider')::VARCHAR AS provider,
    coalesce(account, '') AS account,
    completion_id,
    request_id,
    lower(split_part(trace_id, '/', -1)) AS trace_id,
    lower(span_id) AS span_id,
    response_id,
    CASE WHEN contains(model, 'models/') THEN split_part(model, '/', -1) ELSE model END AS model,
    TRY_CAST(stream AS BOOLEAN) AS stream,
    -- a code is google.rpc's or HTTP's: OK and CANCELLED are 0 and 1 there, 200 and 499 here
    CASE
        WHEN status = 'ok' THEN 'ok'
        WHEN status = 'cancelled' THEN 'cancelled'
        WHEN status IS NOT NULL THEN 'error'
        WHEN coalesce(error_code, '') IN ('', 'OK') OR whole(error_code) IN (0, 200) THEN 'ok'
        WHEN error_code = 'CANCELLED' OR whole(error_code) IN (1, 499) THEN 'cancelled'
        ELSE 'error'
    END AS status,
    finished_at_us - latency_us AS received_at_us,
    first_byte_us AS first_byte_at_us,
    finished_at_us,
    input_count - cached_inside AS input_tokens,
    cached_count AS cached_input_tokens,
    output_count - thinking_inside AS output_tokens,
    thinking_count AS thinking_tokens,
    image_count AS images,
    -- Google's names for how a request was served (google-genai: TrafficType), in the words of the bill's classes
    CASE price_class
        WHEN 'PROVISIONED_THROUGHPUT' THEN 'provisioned'
        WHEN 'ON_DEMAND_PRIORITY' THEN 'priority'
        WHEN 'ON_DEMAND_FLEX' THEN 'flex'
        WHEN 'ON_DEMAND' THEN NULL
        ELSE price_class
    END AS price_class,
    log_name,
    insert_id,
    file_id,
    line_no,
    getvariable('batch_id')::BIGINT AS batch_id,
    CASE
        WHEN NOT is_object THEN 'not a JSON object'
        WHEN model IS NULL AND status IS NULL AND input_tokens IS NULL AND output_tokens IS NULL AND images IS NULL
        THEN 'ignored'
        WHEN completion_id IS NULL OR completion_id = '' THEN 'no completion id'
        WHEN model IS NULL OR model = '' OR is_no_text(model) THEN 'no model'
        WHEN finished_at IS NULL THEN 'no time of finish'
        WHEN finished_at_us IS NULL THEN 'the time of finish is no instant of RFC 3339 between 2000 and 2100'
        WHEN latency IS NOT NULL AND (latency_us IS NULL OR latency_us < 0 OR latency_us > 2592000000000)
        THEN 'the latency is no duration'
        WHEN first_byte_at IS NOT NULL AND first_byte_us IS NULL THEN 'the time of the first byte is no instant'
        WHEN stream IS NOT NULL AND stream NOT IN ('true', 'false') THEN '"stream" is neither true nor false'
        WHEN counts_nothing(input_tokens, input_count) THEN 'the input tokens are no count'
        WHEN counts_nothing(cached_input_tokens, cached_count) THEN 'the cached input tokens are no count'
        WHEN counts_nothing(output_tokens, output_count) THEN 'the output tokens are no count'
        WHEN counts_nothing(thinking_tokens, thinking_count) THEN 'the thinking tokens are no count'
        WHEN counts_nothing(images, image_count) THEN 'the images are no count'
        WHEN coalesce(input_count, 0) < cached_inside THEN 'more cached input tokens than input tokens'
        WHEN coalesce(output_count, 0) < thinking_inside THEN 'more thinking tokens than output tokens'
    END AS fate
FROM leaves;
