-- One row per call whose halves came in different runs and have now met.
CREATE OR REPLACE TEMP TABLE met_half AS
SELECT h.source, h.call_id, o.started_at_us, h.ended_at_us, o.suspect_no
FROM half_call AS h
JOIN open_call AS o ON o.source = h.source AND o.call_id = h.call_id
WHERE h.ended_at_us IS NOT NULL
UNION ALL
SELECT h.source, h.call_id, h.started_at_us, d.at_us, NULL
FROM half_call AS h
JOIN dangling_end AS d ON d.source = h.source AND d.call_id = h.call_id
WHERE h.started_at_us IS NOT NULL
