-- One row per wait whose end was never logged although its process wrote on, said once.
INSERT INTO problem
SELECT
    w.source, 'ended line missing', l.lost_call_id,
    'the wait for job ' || l.job_key || ' began, its process wrote on for longer than correlation.horizon after the '
    || 'job''s end, and the end of the wait was never logged: nothing is taken as lost', $now_us, '', $run_id
FROM job_leaver AS l
JOIN job_wait AS w ON w.job_key = l.job_key AND w.call_id = l.lost_call_id
WHERE l.lost_call_id NOT IN (SELECT place FROM problem WHERE kind = 'ended line missing')
ORDER BY l.lost_call_id
