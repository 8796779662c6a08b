-- One row per call whose process turned out to live after it had been taken as vanished.
INSERT INTO problem
SELECT
    s.source, 'ended line missing', s.call_id,
    'the call started, its process wrote on for longer than correlation.horizon, and its end was never logged: '
    || 'nothing is taken as lost', $now_us, '', $run_id
FROM reappeared AS r
JOIN suspect AS s ON s.suspect_no = r.suspect_no
WHERE r.wrote_on
ORDER BY s.source, s.call_id
