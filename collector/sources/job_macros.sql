-- The words that providers have for jobs, in one spelling.

-- A job's name without what logs spell in different ways before it (project by name or number, publisher, model).
CREATE OR REPLACE TEMP MACRO job_key(job_id) AS regexp_extract(job_id, '([^/]*/)?[^/]+/*$');

-- Its state: `running`, `succeeded`, `cancelled`, ... (JOB_STATE_SUCCEEDED, BATCH_STATE_CANCELLED, canceled).
CREATE OR REPLACE TEMP MACRO job_state(told) AS
    replace(replace(
        regexp_replace(lower(told), '^(job|batch)_state_|^state_', ''), 'canceled', 'cancelled'), 'canceling', 'cancelling');

-- How it ended, in the words of completions; NULL where it has not. A batch whose time was up has done a part, and
-- nobody has asked for its end: an error of the provider's own.
CREATE OR REPLACE TEMP MACRO job_status(state) AS
    CASE
        WHEN state IN ('succeeded', 'completed', 'ended', 'partially_succeeded', 'done') THEN 'ok'
        WHEN state = 'cancelled' THEN 'cancelled'
        WHEN state IN ('failed', 'expired', 'error', 'incomplete') THEN 'error'
    END;

-- An instant as text, or in whole seconds since 1970, as OpenAI's objects have it.
CREATE OR REPLACE TEMP MACRO job_instant_us(x) AS
    CASE
        WHEN regexp_full_match(x, '[0-9]{10}(\.0*)?') THEN split_part(x, '.', 1)::BIGINT * 1000000
        ELSE instant_us(x)
    END;
