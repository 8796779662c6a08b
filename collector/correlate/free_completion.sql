-- One row per completion of the drawn hours that no suspect has got by its id, with the hour that it races in.
CREATE OR REPLACE TEMP TABLE free_completion AS
WITH
recent AS (
    SELECT
        provider, account, completion_id, model, stream, status, request_id, trace_id, span_id, response_id,
        received_at_us, first_byte_at_us, finished_at_us, output_tokens,
        coalesce(input_tokens, 0) + coalesce(cached_input_tokens, 0) AS input_tokens,
        coalesce(received_at_us, finished_at_us) AS at_us,
        (coalesce(received_at_us, finished_at_us) + 1800000000) // 3600000000 * 3600000000 AS border_us
    FROM backend_completion
    WHERE finished_at_us >= $scan_from_us AND finished_at_us < $scan_to_us
        AND coalesce(received_at_us, finished_at_us) BETWEEN finished_at_us - $lasting_us AND finished_at_us
        AND (provider, model) IN (SELECT (provider, model) FROM lone_suspect)
),
placed AS (
    SELECT
        c.* EXCLUDE (border_us),
        CASE WHEN c.at_us >= coalesce(k.cut_us, c.border_us) THEN c.border_us ELSE c.border_us - 3600000000 END
            AS hour_at_us
    FROM recent AS c
    LEFT JOIN hour_cut AS k ON k.provider = c.provider AND k.model = c.model AND k.border_us = c.border_us
)
SELECT
    p.* EXCLUDE (at_us), true AS home,
    row_number() OVER (ORDER BY p.at_us, p.provider, p.account, p.completion_id, p.finished_at_us) AS completion_no
FROM placed AS p
SEMI JOIN race_hour AS h ON h.hour_at_us = p.hour_at_us
ANTI JOIN chosen_match AS m
    ON m.evidence = 'exact' AND m.provider = p.provider AND m.account = p.account
    AND m.completion_id = p.completion_id AND m.finished_at_us = p.finished_at_us
    AND m.finished_at_us >= $scan_from_us AND m.finished_at_us < $scan_to_us
