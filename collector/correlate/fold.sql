-- One row per contender: the attempt it belongs to, named by the smallest contender that shares an id with it.
CREATE OR REPLACE TEMP TABLE fold AS
WITH
shared AS (
    SELECT a.contender_no, b.contender_no AS other_no
    FROM contender AS a
    JOIN contender AS b ON b.received_request_id = a.request_id AND b.source <> a.source
    UNION
    SELECT a.contender_no, b.contender_no
    FROM contender AS a
    JOIN contender AS b ON b.request_id = a.request_id AND b.source <> a.source
    UNION
    SELECT a.contender_no, b.contender_no
    FROM contender AS a
    JOIN contender AS b ON b.trace_id = a.trace_id AND b.span_id = a.span_id AND b.source <> a.source
    WHERE a.request_id IS NULL OR b.received_request_id IS NULL OR a.request_id = b.received_request_id
),
-- Ids that several attempts share are folded one to one, the nearest starts first.
nearest AS (
    SELECT s.*
    FROM (SELECT contender_no, other_no FROM shared UNION SELECT other_no, contender_no FROM shared) AS s
    JOIN contender AS a ON a.contender_no = s.contender_no
    JOIN contender AS b ON b.contender_no = s.other_no
    QUALIFY row_number() OVER (
            PARTITION BY s.contender_no, b.source ORDER BY abs(a.started_at_us - b.started_at_us), b.contender_no) = 1
        AND row_number() OVER (
            PARTITION BY s.other_no, a.source ORDER BY abs(a.started_at_us - b.started_at_us), a.contender_no) = 1
)
SELECT c.contender_no, least(c.contender_no, coalesce(min(n.other_no), c.contender_no)) AS attempt_no
FROM contender AS c
LEFT JOIN nearest AS n ON n.contender_no = c.contender_no
GROUP BY c.contender_no
