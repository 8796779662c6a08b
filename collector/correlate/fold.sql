-- One row per racing contender: the attempt it belongs to, named by the smallest contender that shares an id with it.
CREATE OR REPLACE TEMP TABLE fold AS
WITH
racing AS (
    SELECT contender_no, hour_at_us, source, started_at_us, request_id, received_request_id, trace_id, span_id
    FROM contender
    WHERE races
),
shared AS (
    SELECT a.contender_no, b.contender_no AS other_no
    FROM racing AS a
    JOIN racing AS b
        ON b.hour_at_us = a.hour_at_us AND b.received_request_id = a.request_id AND b.source <> a.source
    UNION
    SELECT a.contender_no, b.contender_no
    FROM racing AS a
    JOIN racing AS b ON b.hour_at_us = a.hour_at_us AND b.request_id = a.request_id AND b.source <> a.source
    UNION
    SELECT a.contender_no, b.contender_no
    FROM racing AS a
    JOIN racing AS b
        ON b.hour_at_us = a.hour_at_us AND b.trace_id = a.trace_id AND b.span_id = a.span_id AND b.source <> a.source
    WHERE a.request_id IS NULL OR b.received_request_id IS NULL OR a.request_id = b.received_request_id
),
both_ways AS (
    SELECT
        s.contender_no, s.other_no, a.source, b.source AS other_source, a.hour_at_us,
        b.started_at_us - a.started_at_us AS later_us,
        count(*) OVER (PARTITION BY s.contender_no, b.source) AS others,
        count(*) OVER (PARTITION BY s.other_no, a.source) AS others_back
    FROM (SELECT contender_no, other_no FROM shared UNION SELECT other_no, contender_no FROM shared) AS s
    JOIN racing AS a ON a.contender_no = s.contender_no
    JOIN racing AS b ON b.contender_no = s.other_no
),
-- How far two observers' clocks and places lie apart, by the ids that only one call of each has.
apart AS (
    SELECT source, other_source, hour_at_us, median(later_us) AS apart_us
    FROM both_ways
    WHERE others = 1 AND others_back = 1
    GROUP BY source, other_source, hour_at_us
),
-- Ids that several attempts share are folded one to one, the nearest starts first.
nearest AS (
    SELECT s.contender_no, s.other_no
    FROM both_ways AS s
    LEFT JOIN apart AS p
        ON p.source = s.source AND p.other_source = s.other_source AND p.hour_at_us = s.hour_at_us
    QUALIFY row_number() OVER (
            PARTITION BY s.contender_no, s.other_source
            ORDER BY abs(s.later_us - coalesce(p.apart_us, 0)), s.other_no) = 1
        AND row_number() OVER (
            PARTITION BY s.other_no, s.source
            ORDER BY abs(s.later_us - coalesce(p.apart_us, 0)), s.contender_no) = 1
)
SELECT c.contender_no, least(c.contender_no, coalesce(min(n.other_no), c.contender_no)) AS attempt_no
FROM racing AS c
LEFT JOIN nearest AS n ON n.contender_no = c.contender_no
GROUP BY c.contender_no
