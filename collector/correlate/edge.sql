-- One row per attempt in the race and free completion that it may be, with all that a score looks at.
CREATE OR REPLACE TEMP TABLE edge AS
WITH
block AS (
    SELECT provider, model, account, hour_at_us, count(*) AS completions
    FROM free_completion
    WHERE home AND completion_no NOT IN (SELECT completion_no FROM owned)
    GROUP BY ALL
),
origin AS (SELECT source, row_number() OVER (ORDER BY source) AS source_no FROM observer)
SELECT
    m.attempt_no, m.completion_no, f.provider, f.account, f.completion_id, f.finished_at_us, r.hour_at_us,
    o.source_no, d.pairs, (f.received_at_us - r.started_at_us)::DOUBLE AS delay_us, d.shift_us, d.scale_us,
    b.completions::DOUBLE AS block_completions,
    CASE r.outcome WHEN 'delivered' THEN 1 WHEN 'failed' THEN 2 WHEN 'aborted' THEN 3 WHEN 'vanished' THEN 4 ELSE 0 END
        AS outcome,
    CASE f.status WHEN 'ok' THEN 0 WHEN 'cancelled' THEN 1 ELSE 2 END AS status,
    CASE WHEN r.ended_at_us >= 0 THEN (f.finished_at_us - r.ended_at_us)::DOUBLE END AS over_us,
    (f.finished_at_us - coalesce(f.first_byte_at_us, f.received_at_us, r.started_at_us + d.shift_us::BIGINT))::DOUBLE
        AS span_us,
    f.first_byte_at_us IS NOT NULL AS first_byte_known,
    CASE WHEN r.stream IS NULL OR f.stream IS NULL THEN 0 WHEN r.stream = f.stream THEN 1 ELSE -1 END AS stream_same,
    CASE WHEN r.input_tokens IS NOT NULL AND f.input_tokens > 0 THEN (r.input_tokens - f.input_tokens)::DOUBLE END
        AS input_gap,
    f.input_tokens::DOUBLE AS input_tokens,
    CASE WHEN f.output_tokens IS NOT NULL THEN r.tokens_received::DOUBLE END AS tokens_received,
    coalesce(f.output_tokens, 0)::DOUBLE AS output_tokens,
    r.counted_outcome = 'delivered' AS counted_whole,
    r.has_id AND f.request_id IS NOT NULL AS ids_differ, r.is_suspect
FROM meeting AS m
JOIN racer AS r ON r.attempt_no = m.attempt_no
JOIN free_completion AS f ON f.completion_no = m.completion_no
JOIN delay_model AS d ON d.source = r.source AND d.hour_at_us = r.hour_at_us
JOIN origin AS o ON o.source = r.source
JOIN block AS b
    ON b.provider = f.provider AND b.model = f.model AND b.account = f.account AND b.hour_at_us = f.hour_at_us
