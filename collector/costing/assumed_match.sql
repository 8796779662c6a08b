-- One row per active abort with an assumed completion.
INSERT INTO chosen_match BY NAME
SELECT
    suspect_no, provider, account, completion_id, finished_at_us, started_at_us AS received_at_us,
    'assumed' AS evidence, suspect_no AS attempt_no, true AS money_row, false AS delivered_outside
FROM assumed_completion
WHERE suspect_no IN (SELECT suspect_no FROM active_suspect)
    AND suspect_no NOT IN (
        SELECT m.suspect_no FROM chosen_match AS m JOIN active_suspect AS a ON a.suspect_no = m.suspect_no
    )
ORDER BY suspect_no
