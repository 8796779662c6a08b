-- One row per completion of unknown receipt that finished shortly before a drawn hour, which takes no part but its claims.
INSERT INTO free_completion
WITH
recent AS (
    SELECT
        provider, account, completion_id, model, stream, status, request_id, trace_id, span_id, response_id,
        received_at_us, first_byte_at_us, finished_at_us, output_tokens,
        coalesce(input_tokens, 0) + coalesce(cached_input_tokens, 0) AS input_tokens,
        (finished_at_us + 1800000000) // 3600000000 * 3600000000 AS border_us
    FROM backend_completion
    WHERE received_at_us IS NULL AND finished_at_us >= $race_from_us - $margin_us - $after_us
        AND finished_at_us < $race_to_us + $margin_us
),
placed AS (
    SELECT
        c.* EXCLUDE (border_us),
        CASE WHEN c.finished_at_us >= coalesce(k.cut_us, c.border_us) THEN c.border_us ELSE c.border_us - 3600000000 END
            AS own_hour_at_us
    FROM recent AS c
    LEFT JOIN hour_cut AS k ON k.provider = c.provider AND k.model = c.model AND k.border_us = c.border_us
)
SELECT
    p.* EXCLUDE (own_hour_at_us), h.hour_at_us, false,
    (SELECT coalesce(max(completion_no), 0) FROM free_completion)
        + row_number() OVER (ORDER BY p.finished_at_us, p.provider, p.account, p.completion_id, h.hour_at_us)
FROM placed AS p
JOIN race_hour AS h
    ON h.hour_at_us > p.own_hour_at_us AND h.hour_at_us - $margin_us - $after_us <= p.finished_at_us
SEMI JOIN (SELECT provider, model, hour_at_us FROM lone_suspect WHERE NOT home) AS s
    ON s.provider = p.provider AND s.model = p.model AND s.hour_at_us = h.hour_at_us
ANTI JOIN chosen_match AS m
    ON m.evidence = 'exact' AND m.provider = p.provider AND m.account = p.account
    AND m.completion_id = p.completion_id AND m.finished_at_us = p.finished_at_us
    AND m.finished_at_us >= $race_from_us - $margin_us - $after_us AND m.finished_at_us < $race_to_us + $margin_us
