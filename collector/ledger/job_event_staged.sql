-- One row per waiting line that tells of a job: what it says, and how often its event had been read before it.
CREATE OR REPLACE TEMP TABLE staged_job_event AS
WITH
told AS (
    SELECT *, true AS is_fresh FROM job_parsed
    UNION ALL BY NAME
    SELECT *, NULL::VARCHAR AS fate, false AS is_fresh
    FROM job_event
    WHERE source = getvariable('source') AND event_key IN (SELECT event_key FROM job_parsed WHERE fate IS NULL)
),
weighed AS (
    SELECT
        *,
        hash(job_key, event, at_us, provider, account, model, kind, service, outcome, reason, state, cancel_outcome,
            price_class, input_tokens, cached_input_tokens, output_tokens, thinking_tokens, images, requests_total,
            requests_done, requests_failed) AS content
    FROM told
)
SELECT
    *,
    row_number() OVER same_event AS reading_no,
    content <> first_value(content) OVER same_event AS differs
FROM weighed
WINDOW same_event AS (PARTITION BY fate IS NULL, event_key ORDER BY is_fresh, file_id, line_no)
