-- One row per new abort at a provider whose completions nobody logs: what its policy says was done and billed.
CREATE OR REPLACE TEMP TABLE assumed_new AS
WITH
-- How long the answers are that this model gave to those who stayed, in the day before.
ended AS (
    SELECT source, call_id, output_tokens_received
    FROM client_call
    WHERE event = 'ended' AND outcome = 'delivered' AND output_tokens_received > 0
        AND at_us BETWEEN $left_from_us - 86400000000 AND $left_to_us
),
answer AS (
    SELECT c.provider, c.model, e.output_tokens_received AS tokens
    FROM client_call AS c
    JOIN ended AS e ON e.source = c.source AND e.call_id = c.call_id
    WHERE c.event = 'started' AND (c.provider, c.model) IN (SELECT (provider, model) FROM assumed_lone)
        AND c.at_us BETWEEN $left_from_us - 90000000000 AND $left_to_us
),
typical AS (
    SELECT provider, model, quantile_disc(tokens, 0.5)::BIGINT AS tokens, quantile_disc(tokens, 0.95)::BIGINT AS tokens_high
    FROM answer
    GROUP BY provider, model
    HAVING count(*) >= 5
),
judged AS (
    SELECT
        l.*, p.runs_on, p.billed AS is_billed, p.disputed AS is_disputed, t.tokens AS typical, t.tokens_high,
        coalesce(l.output_tokens_received, 0) AS got
    FROM assumed_lone AS l
    ASOF LEFT JOIN drop_policy AS p
        ON p.provider = l.provider AND p.model = l.model AND p.mode = CASE WHEN l.stream THEN 'stream' ELSE 'unary' END
        AND p.from_us <= l.left_at_us
    LEFT JOIN typical AS t ON t.provider = l.provider AND t.model = l.model
)
SELECT
    suspect_no, provider, coalesce(account, '') AS account, 'assumed ' || suspect_no AS completion_id, model,
    coalesce(stream, false) AS stream, runs_on, is_billed AS billed,
    -- where nobody knows whether the work ran on, the bounds span both
    is_disputed OR runs_on NOT IN ('yes', 'no') AS disputed,
    started_at_us, left_at_us AS finished_at_us, input_tokens,
    CASE
        WHEN runs_on = 'no' THEN output_tokens_received
        ELSE greatest(got, coalesce(typical, max_output_tokens // 2, output_tokens_received))
    END AS output_tokens,
    CASE WHEN runs_on = 'no' THEN got ELSE greatest(got, coalesce(max_output_tokens, tokens_high, got)) END
        AS output_tokens_high,
    output_tokens_received AS tokens_received, $to_batch AS batch_id
FROM judged
