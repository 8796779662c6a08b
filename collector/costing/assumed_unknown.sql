-- One row per abort of which neither log nor client says how much was used, said once a model.
INSERT INTO problem
SELECT DISTINCT
    'policies', 'usage unknown', provider || ' ' || model,
    'aborted at a provider whose completions are not logged, and the client log says neither input_tokens nor '
    || 'max_output_tokens: its cost is unknown. Log these keys, or add a source of completions', $now_us, '', $run_id
FROM assumed_new
WHERE input_tokens IS NULL AND coalesce(output_tokens, 0) = 0
    AND provider || ' ' || model NOT IN (SELECT place FROM problem WHERE kind = 'usage unknown')
