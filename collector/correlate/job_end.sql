-- One row per touched job that is known to have ended: how, when, and on what.
CREATE OR REPLACE TEMP TABLE job_end AS
WITH
-- A client sees an end after it has come; where a log tells another one at about that time, the log is right.
ended AS (
    SELECT
        e.*, e.call_id IS NULL AS is_log,
        e.at_us - CASE WHEN e.call_id IS NULL THEN 0 ELSE $skew_us END AS ranked_at_us
    FROM job_event AS e
    SEMI JOIN job_touched AS t ON t.job_key = e.job_key
    WHERE e.status IS NOT NULL
),
-- No end is final: a batch was seen to turn from cancelled to completed. The latest word holds.
final AS (
    SELECT job_key, arg_max(status, (ranked_at_us, is_log, status)) AS final_status
    FROM ended
    GROUP BY job_key
),
turned AS (
    SELECT e.*, f.final_status, max(e.ranked_at_us) FILTER (e.status <> f.final_status) OVER (PARTITION BY e.job_key) AS other_at_us
    FROM ended AS e
    JOIN final AS f ON f.job_key = e.job_key
)
SELECT
    job_key, final_status AS status,
    -- the log's instant is the end itself, a client's only when it was seen
    coalesce(min(at_us) FILTER (is_log AND is_it), min(at_us) FILTER (is_it)) AS finished_at_us,
    coalesce(bool_or(is_log) FILTER (is_it), false) AS is_logged,
    arg_max(state, (is_log, at_us, event_key)) FILTER (is_it AND state IS NOT NULL) AS state,
    bool_or(status = 'cancelled') AND final_status <> 'cancelled' AS was_cancelled,
    arg_max(used, (logged_at_us, event_key)) FILTER (is_it AND has_usage) AS used
FROM (
    SELECT
        *, status = final_status AND ranked_at_us > coalesce(other_at_us, 0) AS is_it,
        coalesce(input_tokens, cached_input_tokens, output_tokens, thinking_tokens, images) IS NOT NULL AS has_usage,
        {
            'input': input_tokens, 'cached_input': cached_input_tokens, 'output': output_tokens,
            'thinking': thinking_tokens, 'images': images
        } AS used
    FROM turned
)
GROUP BY job_key, final_status
