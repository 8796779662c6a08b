-- One row per new abort at a provider whose completions nobody logs, and for which nothing is assumed yet.
CREATE OR REPLACE TEMP TABLE assumed_lone AS
SELECT s.*, coalesce(s.ended_at_us, s.started_at_us) AS left_at_us
FROM suspect AS s
WHERE s.suspect_no IN (SELECT suspect_no FROM active_suspect) AND s.outcome = 'aborted'
    AND s.provider IS NOT NULL AND s.model IS NOT NULL
    AND s.provider NOT IN (SELECT provider FROM completion_source)
    AND s.suspect_no NOT IN (
        SELECT m.suspect_no FROM chosen_match AS m JOIN active_suspect AS a ON a.suspect_no = m.suspect_no
    )
    AND s.suspect_no NOT IN (SELECT suspect_no FROM assumed_completion)
