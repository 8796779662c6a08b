-- One row per attempt in the race: times from its innermost observer, sizes from whoever counted.
CREATE OR REPLACE TEMP TABLE racer AS
WITH
out_of_race AS (
    SELECT DISTINCT f.attempt_no FROM owned AS o JOIN fold AS f ON f.contender_no = o.contender_no
)
SELECT
    f.attempt_no,
    arg_min(k.source, (k.hop, k.contender_no)) AS source,
    arg_min(k.hour_at_us, (k.hop, k.contender_no)) AS hour_at_us,
    arg_min(k.started_at_us, (k.hop, k.contender_no)) AS started_at_us,
    arg_min(coalesce(k.ended_at_us, -1), (k.hop, k.contender_no)) AS ended_at_us,
    arg_min(coalesce(k.outcome, 'open'), (k.hop, k.contender_no)) AS outcome,
    arg_min(k.provider, (k.hop, k.contender_no)) AS provider,
    max(k.account) AS account,
    arg_min(k.model, (k.hop, k.contender_no)) AS model,
    -- a call that began in another hour is here for completions of unknown receipt alone
    arg_min(k.home, (k.hop, k.contender_no)) AS home,
    bool_or(k.stream) AS stream,
    max(k.input_tokens) AS input_tokens,
    max(k.output_tokens_received) AS tokens_received,
    -- what the one who counted the tokens did: a client that left has counted only a part
    coalesce(arg_max(k.outcome, k.output_tokens_received), 'open') AS counted_outcome,
    bool_or(k.request_id IS NOT NULL) AS has_id,
    bool_or(k.suspect_no IS NOT NULL) AS is_suspect
FROM contender AS k
JOIN fold AS f ON f.contender_no = k.contender_no
WHERE f.attempt_no NOT IN (SELECT attempt_no FROM out_of_race)
GROUP BY f.attempt_no
