-- One row per pair of calls of different observers that share an id, in both directions.
CREATE OR REPLACE TEMP TABLE link AS
WITH one_way AS (
    SELECT a.node_no, b.node_no AS other_no
    FROM node AS a
    JOIN node AS b ON b.received_request_id = a.request_id AND b.source <> a.source
    UNION
    SELECT a.node_no, b.node_no
    FROM node AS a
    JOIN node AS b ON b.request_id = a.request_id AND b.source <> a.source
    UNION
    SELECT a.node_no, b.node_no
    FROM node AS a
    JOIN node AS b ON b.trace_id = a.trace_id AND b.span_id = a.span_id AND b.source <> a.source
    WHERE a.request_id IS NULL OR b.received_request_id IS NULL OR a.request_id = b.received_request_id
)
SELECT node_no, other_no FROM one_way
UNION
SELECT other_no, node_no FROM one_way
