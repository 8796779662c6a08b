-- One row per call whose ended line is lost although its process wrote on.
INSERT INTO problem
SELECT
    source, 'ended line missing', call_id,
    'the call started, its process wrote on for longer than correlation.horizon, and its end was never logged: '
    || 'nothing is taken as lost', $now_us, '', $run_id
FROM overdue_call
WHERE wrote_on
ORDER BY source, call_id
