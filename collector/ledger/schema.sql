-- The ledger. Facts and versions are only ever appended; tables marked "state" hold what the next run needs.

CREATE TABLE IF NOT EXISTS ledger_format (version INTEGER);

-- Facts ------------------------------------------------------------------------------------------------

-- One row per run, successful or not.
CREATE TABLE IF NOT EXISTS run (
    run_id BIGINT, recorded_at_us BIGINT, outcome VARCHAR, duration_ms BIGINT, rows_new BIGINT
);

-- The ids that most lines have are stored as they are: almost no two are equal, and a dictionary of them costs time.

-- One row per line of an observer's log: one event of a call ('whole' where one line tells both ends).
CREATE TABLE IF NOT EXISTS client_call (
    source VARCHAR, call_id VARCHAR USING COMPRESSION uncompressed, event VARCHAR, at_us BIGINT,
    started_at_us BIGINT, ended_at_us BIGINT, service VARCHAR, provider VARCHAR, account VARCHAR,
    model VARCHAR, operation VARCHAR, stream BOOLEAN, request_id VARCHAR USING COMPRESSION uncompressed,
    received_request_id VARCHAR, trace_id VARCHAR USING COMPRESSION uncompressed,
    span_id VARCHAR USING COMPRESSION uncompressed, response_id VARCHAR, retry_of VARCHAR, process VARCHAR,
    input_tokens BIGINT, max_output_tokens BIGINT, request_bytes BIGINT, outcome VARCHAR, reason VARCHAR,
    status_code BIGINT, bytes_received BIGINT, output_tokens_received BIGINT, first_byte_at_us BIGINT,
    upstream_bytes BIGINT, retry_count BIGINT, file_id BIGINT, line_no BIGINT, batch_id BIGINT
);

-- One row per request that a backend says it worked on; token counts are leaves that do not overlap.
CREATE TABLE IF NOT EXISTS backend_completion (
    source VARCHAR, provider VARCHAR, account VARCHAR, completion_id VARCHAR USING COMPRESSION uncompressed,
    request_id VARCHAR USING COMPRESSION uncompressed, trace_id VARCHAR USING COMPRESSION uncompressed,
    span_id VARCHAR USING COMPRESSION uncompressed, response_id VARCHAR, model VARCHAR, stream BOOLEAN,
    status VARCHAR, received_at_us BIGINT, first_byte_at_us BIGINT, finished_at_us BIGINT,
    input_tokens BIGINT, cached_input_tokens BIGINT, output_tokens BIGINT, thinking_tokens BIGINT,
    images BIGINT, price_class VARCHAR, log_name VARCHAR, insert_id VARCHAR USING COMPRESSION uncompressed,
    file_id BIGINT, line_no BIGINT, batch_id BIGINT
);

-- One row per line that tells of a job (a batch, a long-running operation): of its waiter, its cancel or its state.
-- job_key is the job's name without the project and the place, which logs spell in different ways.
CREATE TABLE IF NOT EXISTS job_event (
    source VARCHAR, event_key VARCHAR, job_key VARCHAR, job_id VARCHAR, event VARCHAR, at_us BIGINT,
    logged_at_us BIGINT, created_at_us BIGINT, call_id VARCHAR, provider VARCHAR, account VARCHAR, model VARCHAR,
    kind VARCHAR, service VARCHAR, process VARCHAR, outcome VARCHAR, reason VARCHAR, state VARCHAR, status VARCHAR,
    cancel_outcome VARCHAR, price_class VARCHAR, input_tokens BIGINT, cached_input_tokens BIGINT,
    output_tokens BIGINT, thinking_tokens BIGINT, images BIGINT, requests_total BIGINT, requests_done BIGINT,
    requests_failed BIGINT, file_id BIGINT, line_no BIGINT, batch_id BIGINT
);

-- One row per row of a bill as delivered; counts is false for a row that another delivery had already brought.
CREATE TABLE IF NOT EXISTS billing_line (
    source VARCHAR, provider VARCHAR, account VARCHAR, service VARCHAR, sku VARCHAR, model VARCHAR,
    usage_kind VARCHAR, price_class VARCHAR, currency VARCHAR, cost_nano BIGINT, credit_nano BIGINT,
    usage_micro HUGEINT, usage_known BOOLEAN, usage_start_us BIGINT, usage_end_us BIGINT, export_at_us BIGINT,
    cost_type VARCHAR, row_hash VARCHAR, occurrence_no BIGINT, counts BOOLEAN, file_id BIGINT, line_no BIGINT,
    batch_id BIGINT
);

-- One row per thing that was wrong with the data.
CREATE TABLE IF NOT EXISTS problem (
    source VARCHAR, kind VARCHAR, place VARCHAR, message VARCHAR, seen_at_us BIGINT, excerpt VARCHAR,
    run_id BIGINT
);

-- One row per dated unit price; later rows never overwrite earlier ones.
CREATE TABLE IF NOT EXISTS price (
    rank INTEGER, provider VARCHAR, model VARCHAR, usage_kind VARCHAR, price_class VARCHAR, currency VARCHAR,
    from_us BIGINT, input_tokens_above BIGINT, nano_per_million BIGINT, origin VARCHAR, run_id BIGINT
);

-- Versions ---------------------------------------------------------------------------------------------

-- One row per version of the verdict on one observer's abort; the newest run's version holds.
CREATE TABLE IF NOT EXISTS verdict (
    run_id BIGINT, recorded_at_us BIGINT, suspect_no BIGINT, retracted BOOLEAN, observer VARCHAR,
    call_id VARCHAR, request_id VARCHAR, provider VARCHAR, account VARCHAR, model VARCHAR, operation VARCHAR,
    service VARCHAR, stream BOOLEAN, started_at_us BIGINT, ended_at_us BIGINT, reason VARCHAR, verdict VARCHAR,
    evidence VARCHAR, match_probability DOUBLE, completion_id VARCHAR, finished_at_us BIGINT, cost_nano BIGINT,
    orphaned_nano BIGINT, orphaned_low_nano BIGINT, orphaned_high_nano BIGINT, avoidable_nano BIGINT,
    currency VARCHAR, basis VARCHAR, money_row BOOLEAN, share_evidence VARCHAR
);

-- One row per version of a bucket (provider, account, model, usage kind, price class, currency, period).
CREATE TABLE IF NOT EXISTS bucket (
    run_id BIGINT, recorded_at_us BIGINT, retracted BOOLEAN, usage_start_us BIGINT, usage_end_us BIGINT,
    provider VARCHAR, account VARCHAR, model VARCHAR, usage_kind VARCHAR, price_class VARCHAR,
    currency VARCHAR, billed_micro HUGEINT, logged_micro HUGEINT, billed_nano HUGEINT, delivered_nano HUGEINT,
    orphaned_nano HUGEINT, cut_short_nano HUGEINT, failed_nano HUGEINT, unattributed_nano HUGEINT,
    estimated_nano HUGEINT, estimated_orphaned_nano HUGEINT, estimated_cut_short_nano HUGEINT,
    estimated_failed_nano HUGEINT, settled BOOLEAN
);

-- One row per version of a job's life; the newest run's version holds. status: how it ended (ok, cancelled, error; NULL:
-- not known to have ended). left_at_us: when the last waiter left, or its cancel was asked for (NULL: not known).
CREATE TABLE IF NOT EXISTS job (
    run_id BIGINT, recorded_at_us BIGINT, job_no BIGINT, job_key VARCHAR, job_id VARCHAR, kind VARCHAR,
    provider VARCHAR, account VARCHAR, model VARCHAR, service VARCHAR, observer VARCHAR, call_id VARCHAR,
    process VARCHAR, created_at_us BIGINT, started_at_us BIGINT, finished_at_us BIGINT, state VARCHAR, status VARCHAR,
    is_logged BOOLEAN, was_cancelled BOOLEAN, waits BIGINT, left_at_us BIGINT, reason VARCHAR, looks BIGINT,
    last_look_at_us BIGINT, fetched BOOLEAN, cancel_requested_at_us BIGINT, cancel_result VARCHAR, is_abort BOOLEAN,
    price_class VARCHAR, input_tokens BIGINT, cached_input_tokens BIGINT, output_tokens BIGINT,
    thinking_tokens BIGINT, images BIGINT, requests_total BIGINT, requests_done BIGINT, requests_failed BIGINT,
    due_at_us BIGINT
);

-- One row per change of a counter in one run; their sum is the counter.
CREATE TABLE IF NOT EXISTS counter_change (
    run_id BIGINT, recorded_at_us BIGINT, name VARCHAR, labels VARCHAR[], delta HUGEINT
);

-- State ------------------------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS progress (name VARCHAR, value BIGINT);
CREATE TABLE IF NOT EXISTS source_file (file_id BIGINT, source VARCHAR, cursor VARCHAR);
CREATE TABLE IF NOT EXISTS source_state (
    source VARCHAR, kind VARCHAR, up BOOLEAN, error VARCHAR, last_success_at_us BIGINT, watermark_at_us BIGINT
);
CREATE TABLE IF NOT EXISTS label_value (label VARCHAR, value VARCHAR);
CREATE TABLE IF NOT EXISTS counter_total (name VARCHAR, labels VARCHAR[], value HUGEINT);
CREATE TABLE IF NOT EXISTS sku_meaning (
    service VARCHAR, sku VARCHAR, provider VARCHAR, model VARCHAR, usage_kind VARCHAR, price_class VARCHAR
);

-- One row per started line that no ended line has joined yet; wrote_on where its process is known to have lived on.
CREATE TABLE IF NOT EXISTS open_call (
    source VARCHAR, call_id VARCHAR, started_at_us BIGINT, suspect_no BIGINT, wrote_on BOOLEAN
);

-- One row per ended line whose started line has not come yet.
CREATE TABLE IF NOT EXISTS dangling_end (source VARCHAR, call_id VARCHAR, at_us BIGINT, batch_id BIGINT);

-- One row per observer's call that may have lost money: aborted, failed or vanished.
CREATE TABLE IF NOT EXISTS suspect (
    suspect_no BIGINT, source VARCHAR, call_id VARCHAR, hop INTEGER, started_at_us BIGINT, ended_at_us BIGINT,
    service VARCHAR, provider VARCHAR, account VARCHAR, model VARCHAR, operation VARCHAR, stream BOOLEAN,
    request_id VARCHAR, received_request_id VARCHAR, trace_id VARCHAR, span_id VARCHAR, response_id VARCHAR,
    retry_of VARCHAR, process VARCHAR, input_tokens BIGINT, max_output_tokens BIGINT, request_bytes BIGINT,
    retry_count BIGINT, outcome VARCHAR, reason VARCHAR, bytes_received BIGINT, output_tokens_received BIGINT, first_byte_at_us BIGINT, upstream_bytes BIGINT,
    file_id BIGINT, line_no BIGINT, ended_file_id BIGINT, ended_line_no BIGINT
);

-- One row per suspect and completion that it may be, with the terms of its score; for matches by time and size.
CREATE TABLE IF NOT EXISTS rival (
    suspect_no BIGINT, provider VARCHAR, account VARCHAR, completion_id VARCHAR, finished_at_us BIGINT,
    chosen BOOLEAN, probability DOUBLE, weight DOUBLE, start_term DOUBLE, end_term DOUBLE, size_term DOUBLE,
    kind_term DOUBLE
);

-- One row per suspect, hour that it raced in and completion that it may be, as that hour alone saw it, where it may have
-- raced in several hours; won: chosen there. State.
CREATE TABLE IF NOT EXISTS claim (
    suspect_no BIGINT, hour_at_us BIGINT, provider VARCHAR, account VARCHAR, completion_id VARCHAR,
    finished_at_us BIGINT, received_at_us BIGINT, won BOOLEAN, probability DOUBLE, weight DOUBLE, start_term DOUBLE,
    end_term DOUBLE, size_term DOUBLE, kind_term DOUBLE, is_abort BOOLEAN, attempt_no BIGINT, money_row BOOLEAN,
    delivered_outside BOOLEAN
);

-- One row per observer and hour: how the backend's receipt lies after the observer's start, as learnt.
CREATE TABLE IF NOT EXISTS delay_learnt (
    source VARCHAR, hour_at_us BIGINT, pairs BIGINT, shift_us DOUBLE, scale_us DOUBLE
);

-- One row per observer and hour: how far its ends have to be moved to be told by the backend's clock. State.
CREATE TABLE IF NOT EXISTS end_learnt (source VARCHAR, hour_at_us BIGINT, shift_us BIGINT);

-- One row per completion that needs figures of its own: not ok, or matched to a suspect. The lost share of its
-- output is lost_part / lost_whole (bounds: low_part, high_part), the avoidable one avoid_part / avoid_whole.
CREATE TABLE IF NOT EXISTS special (
    provider VARCHAR, account VARCHAR, completion_id VARCHAR, model VARCHAR, status VARCHAR, price_class VARCHAR,
    received_at_us BIGINT, finished_at_us BIGINT, input_tokens BIGINT, cached_input_tokens BIGINT,
    output_tokens BIGINT, thinking_tokens BIGINT, images BIGINT, suspect_no BIGINT, verdict VARCHAR,
    share_evidence VARCHAR, lost_part BIGINT, lost_whole BIGINT, low_part BIGINT, high_part BIGINT,
    avoid_part BIGINT, avoid_whole BIGINT, billed BOOLEAN, disputed BOOLEAN, stream BOOLEAN, from_us BIGINT,
    ended_at_us BIGINT, first_byte_known BOOLEAN, some_bytes BOOLEAN
);

-- One row per special completion, usage kind and bucket: what it got of the bucket's cost.
CREATE TABLE IF NOT EXISTS bucket_share (
    provider VARCHAR, account VARCHAR, completion_id VARCHAR, finished_at_us BIGINT, model VARCHAR,
    usage_kind VARCHAR, price_class VARCHAR, currency VARCHAR, usage_start_us BIGINT, usage_end_us BIGINT,
    usage_micro HUGEINT, share_nano HUGEINT, share_low_nano HUGEINT, share_high_nano HUGEINT, under_billed BOOLEAN
);

-- One row per abort at a provider whose completions nobody logs: the work that its policy says was done.
CREATE TABLE IF NOT EXISTS assumed_completion (
    suspect_no BIGINT, provider VARCHAR, account VARCHAR, completion_id VARCHAR, model VARCHAR, stream BOOLEAN,
    runs_on VARCHAR, billed BOOLEAN, disputed BOOLEAN, started_at_us BIGINT, finished_at_us BIGINT,
    input_tokens BIGINT, output_tokens BIGINT, output_tokens_high BIGINT, tokens_received BIGINT, batch_id BIGINT
);

-- One row per attempt's chosen completion, seen from one suspect of the attempt.
CREATE TABLE IF NOT EXISTS chosen_match (
    suspect_no BIGINT, provider VARCHAR, account VARCHAR, completion_id VARCHAR, finished_at_us BIGINT,
    received_at_us BIGINT, evidence VARCHAR, probability DOUBLE, attempt_no BIGINT, money_row BOOLEAN, delivered_outside BOOLEAN,
    bytes_total BIGINT
);

-- One row per model that the bill names otherwise than the log.
CREATE TABLE IF NOT EXISTS model_name_held (provider VARCHAR, model VARCHAR, bill_model VARCHAR);

-- One row per billing source, account and UTC day that it has lines for.
CREATE TABLE IF NOT EXISTS bill_day (
    source VARCHAR, provider VARCHAR, account VARCHAR, day_at_us BIGINT, batch_id BIGINT
);

-- Many rows per quarter of an hour and kind of work: what the logs say was used, added up batch by batch.
CREATE TABLE IF NOT EXISTS usage_slot (
    slot_at_us BIGINT, provider VARCHAR, account VARCHAR, model VARCHAR, price_class VARCHAR, status VARCHAR,
    completions BIGINT, input_tokens HUGEINT, cached_input_tokens HUGEINT, output_tokens HUGEINT,
    thinking_tokens HUGEINT, images HUGEINT, batch_id BIGINT
);

CREATE TABLE IF NOT EXISTS verdict_current AS SELECT * FROM verdict LIMIT 0;
CREATE TABLE IF NOT EXISTS bucket_current AS SELECT * FROM bucket LIMIT 0;
CREATE TABLE IF NOT EXISTS job_current AS SELECT * FROM job LIMIT 0;

-- One row per attempt that the counters have counted, and what they hold for it.
CREATE TABLE IF NOT EXISTS counted (
    suspect_no BIGINT, verdict VARCHAR, provider VARCHAR, model VARCHAR, service VARCHAR, reason VARCHAR,
    currency VARCHAR, recognized_nano BIGINT
);

-- One row per suspect and later call of its observer that may have superseded it.
CREATE TABLE IF NOT EXISTS retry_candidate (
    suspect_no BIGINT, source VARCHAR, call_id VARCHAR, started_at_us BIGINT, next_call_id VARCHAR,
    next_started_at_us BIGINT, rank INTEGER, evidence VARCHAR, gap_us BIGINT
);

-- One row per version of the link between a superseded attempt and the next; the newest run's version holds.
CREATE TABLE IF NOT EXISTS retry_link (
    run_id BIGINT, recorded_at_us BIGINT, retracted BOOLEAN, suspect_no BIGINT, source VARCHAR, call_id VARCHAR,
    started_at_us BIGINT, next_call_id VARCHAR, next_started_at_us BIGINT, evidence VARCHAR, gap_us BIGINT,
    chain_no BIGINT, attempt BIGINT
);
CREATE TABLE IF NOT EXISTS retry_current AS SELECT * FROM retry_link LIMIT 0;

-- One row per week and target that has the week's report.
CREATE TABLE IF NOT EXISTS report_delivery (week VARCHAR, target VARCHAR, delivered_at_us BIGINT);
