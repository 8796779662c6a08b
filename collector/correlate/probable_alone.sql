-- One row per abort without a completion that an observer further out saw too: the attempt stands on that one's row.
INSERT INTO chosen_match BY NAME
WITH
abort AS (
    SELECT k.contender_no, k.suspect_no, k.hop, m.attempt_no
    FROM contender AS k
    JOIN fold AS m ON m.contender_no = k.contender_no
    WHERE k.suspect_no IS NOT NULL AND k.outcome IN ('aborted', 'vanished')
)
SELECT
    n.suspect_no, 'none' AS evidence, min(a.suspect_no) AS attempt_no, false AS money_row, false AS delivered_outside
FROM abort AS n
JOIN abort AS a
    ON a.attempt_no = n.attempt_no AND (a.hop > n.hop OR (a.hop = n.hop AND a.contender_no < n.contender_no))
WHERE n.suspect_no NOT IN (
    SELECT m.suspect_no FROM chosen_match AS m JOIN abort AS b ON b.suspect_no = m.suspect_no
)
GROUP BY n.suspect_no
ORDER BY n.suspect_no
