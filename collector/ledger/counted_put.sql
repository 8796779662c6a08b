-- One row per attempt that the counters now hold.
INSERT INTO counted
SELECT suspect_no, verdict, provider, model, service, reason, currency, nano
FROM count_movement
WHERE verdict IS NOT NULL
ORDER BY suspect_no
