-- One row per suspect of those hours that no id has joined to a completion.
CREATE OR REPLACE TEMP TABLE lone_suspect AS
SELECT s.*, h.hour_at_us
FROM suspect AS s
JOIN probable_hour AS h ON h.hour_at_us = s.started_at_us // 3600000000 * 3600000000
WHERE s.provider IN (SELECT provider FROM completion_source) AND s.model IS NOT NULL
    AND s.started_at_us >= (SELECT min(hour_at_us) FROM probable_hour)
    AND s.started_at_us < (SELECT max(hour_at_us) FROM probable_hour) + 3600000000
    AND s.suspect_no NOT IN (SELECT suspect_no FROM chosen_match WHERE evidence = 'exact')
