-- One row per orphan of the dearest of the week ($orphans_max of each currency), with its completion's tokens and its retries.
WITH
dear AS (
    SELECT *, row_number() OVER (
        PARTITION BY currency ORDER BY orphaned_nano DESC, started_at_us, call_id, observer
    ) AS place
    FROM week_abort
    WHERE is_lost AND orphaned_nano > 0
    QUALIFY place <= $orphans_max
),
work AS (
    SELECT c.provider, c.account, c.completion_id, c.finished_at_us, c.first_byte_at_us, c.input_tokens,
        c.cached_input_tokens, c.output_tokens, c.thinking_tokens, c.images
    FROM backend_completion AS c
    SEMI JOIN dear AS d ON d.completion_id = c.completion_id AND d.finished_at_us = c.finished_at_us
    WHERE c.finished_at_us >= $start_us AND c.finished_at_us < $end_us
    QUALIFY row_number() OVER (
        PARTITION BY c.provider, c.account, c.completion_id, c.finished_at_us ORDER BY c.source, c.file_id, c.line_no
    ) = 1
)
SELECT
    d.place, d.observer, d.call_id, d.provider, d.account, d.model, d.operation, d.service, d.mode,
    d.started_at_us, d.ended_at_us, d.finished_at_us, d.reason, d.verdict, d.evidence, d.match_probability,
    d.completion_id, d.share_evidence, d.cost_nano, d.orphaned_nano, d.orphaned_low_nano, d.orphaned_high_nano,
    d.avoidable_nano, d.currency, d.basis, w.input_tokens, w.cached_input_tokens, w.output_tokens,
    w.thinking_tokens, w.images, r.next_call_id, r.gap_us AS next_gap_us, n.verdict AS next_verdict,
    b.call_id AS before_call_id, b.attempt AS before_attempt
FROM dear AS d
LEFT JOIN work AS w
    ON w.provider = d.provider AND w.completion_id = d.completion_id AND w.finished_at_us = d.finished_at_us
    AND (d.account IS NULL OR w.account IS NOT DISTINCT FROM d.account)
LEFT JOIN retry_current AS r ON r.suspect_no = d.suspect_no
LEFT JOIN verdict_current AS n
    ON n.observer = r.source AND n.call_id = r.next_call_id AND n.started_at_us = r.next_started_at_us
LEFT JOIN retry_current AS b
    ON b.source = d.observer AND b.next_call_id = d.call_id AND b.next_started_at_us = d.started_at_us
QUALIFY row_number() OVER (
    PARTITION BY d.suspect_no ORDER BY w.account NULLS LAST, b.suspect_no, n.suspect_no
) = 1
ORDER BY d.currency, d.place
