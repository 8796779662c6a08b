-- One row per ended line that has waited for its started line for longer than the horizon, said once.
INSERT INTO problem
SELECT
    source, 'started line missing', call_id,
    'the call ended, but its started line was never read: model and provider are unknown, nothing is counted',
    $now_us, '', $run_id
FROM dangling_end
WHERE at_us + $horizon_us <= $now_us AND call_id NOT IN (SELECT place FROM problem WHERE kind = 'started line missing')
ORDER BY source, call_id
