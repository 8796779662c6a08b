-- One row per lone suspect: what was chosen for it before.
DELETE FROM chosen_match
WHERE suspect_no IN (SELECT suspect_no FROM lone_suspect)
    AND (evidence = 'probable' OR suspect_no IN (
        SELECT k.suspect_no FROM scored_edge AS e
        JOIN fold AS m ON m.attempt_no = e.attempt_no
        JOIN contender AS k ON k.contender_no = m.contender_no
        WHERE e.chosen AND e.probability >= $threshold AND k.suspect_no IS NOT NULL
    ))
