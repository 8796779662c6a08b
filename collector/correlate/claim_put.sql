-- One row per claim of a suspect that may race in several hours, of which not all need be drawn together.
INSERT INTO claim
SELECT n.*
FROM claim_new AS n
SEMI JOIN roamer AS r ON r.suspect_no = n.suspect_no
ORDER BY n.suspect_no, n.hour_at_us, n.completion_id
