-- One row per lone suspect and completion that it may be, the five likeliest.
INSERT INTO rival
SELECT
    k.suspect_no, e.provider, e.account, e.completion_id, e.finished_at_us, e.chosen AND e.probability >= $threshold,
    e.probability, e.weight, e.start_term, e.end_term, e.size_term, e.kind_term
FROM scored_edge AS e
JOIN fold AS m ON m.attempt_no = e.attempt_no
JOIN contender AS k ON k.contender_no = m.contender_no
WHERE k.suspect_no IS NOT NULL AND e.probability >= 0.001
QUALIFY row_number() OVER (PARTITION BY k.suspect_no ORDER BY e.probability DESC, e.completion_no) <= 5
ORDER BY k.suspect_no, e.probability DESC
