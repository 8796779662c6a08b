-- One row per completion received in those hours that no suspect has got by its id.
CREATE OR REPLACE TEMP TABLE free_completion AS
SELECT
    c.provider, c.account, c.completion_id, c.model, c.stream, c.status, c.request_id, c.trace_id, c.span_id,
    c.response_id, c.received_at_us, c.first_byte_at_us, c.finished_at_us,
    coalesce(c.input_tokens, 0) + coalesce(c.cached_input_tokens, 0) AS input_tokens, c.output_tokens,
    c.received_at_us // 3600000000 * 3600000000 AS hour_at_us
FROM backend_completion AS c
JOIN probable_hour AS h ON h.hour_at_us = c.received_at_us // 3600000000 * 3600000000
ANTI JOIN chosen_match AS m
    ON m.evidence = 'exact' AND m.provider = c.provider AND m.account = c.account
    AND m.completion_id = c.completion_id AND m.finished_at_us = c.finished_at_us
WHERE c.finished_at_us >= (SELECT min(hour_at_us) FROM probable_hour)
    AND c.finished_at_us < (SELECT max(hour_at_us) FROM probable_hour) + 10800000000
    AND (c.provider, c.model) IN (SELECT (provider, model) FROM lone_suspect)
