-- One row per node and completion that are the same by the first kind of id that both have.
CREATE OR REPLACE TEMP TABLE pair AS
SELECT n.node_no, c.completion_no, 1 AS id_rank
FROM node AS n
JOIN candidate AS c ON c.request_id = n.request_id
UNION
SELECT n.node_no, c.completion_no, 1
FROM node AS n
JOIN candidate AS c ON c.request_id = n.received_request_id
UNION
SELECT n.node_no, c.completion_no, 2
FROM node AS n
JOIN candidate AS c ON c.trace_id = n.trace_id AND c.span_id = n.span_id
WHERE c.request_id IS NULL OR (n.request_id IS NULL AND n.received_request_id IS NULL)
UNION
SELECT n.node_no, c.completion_no, 3
FROM node AS n
JOIN candidate AS c ON c.response_id = n.response_id
WHERE (c.request_id IS NULL OR (n.request_id IS NULL AND n.received_request_id IS NULL))
    AND (c.trace_id IS NULL OR n.trace_id IS NULL OR c.span_id IS NULL OR n.span_id IS NULL)
