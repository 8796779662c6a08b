-- One row per call of the probe that was left and has a verdict, with what its completion says.
SELECT
    v.call_id,
    v.verdict,
    v.evidence,
    v.ended_at_us,
    v.finished_at_us,
    c.output_tokens
FROM verdict_current AS v
LEFT JOIN backend_completion AS c
    ON c.provider = v.provider AND c.completion_id = v.completion_id AND c.finished_at_us = v.finished_at_us
WHERE v.observer = $observer AND NOT v.retracted
ORDER BY v.call_id
