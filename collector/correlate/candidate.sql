-- One row per completion that shares an id with a node.
CREATE OR REPLACE TEMP TABLE candidate AS
WITH
recent AS NOT MATERIALIZED (
    SELECT
        provider, account, completion_id, request_id, trace_id, span_id, response_id, status, received_at_us,
        finished_at_us
    FROM backend_completion
    WHERE finished_at_us BETWEEN $candidate_from_us AND $candidate_to_us
),
sharing AS (
    SELECT * FROM recent WHERE request_id IN (SELECT request_id FROM node)
    UNION
    SELECT * FROM recent WHERE request_id IN (SELECT received_request_id FROM node)
    UNION
    SELECT r.* FROM recent AS r SEMI JOIN node AS n ON n.trace_id = r.trace_id AND n.span_id = r.span_id
    UNION
    SELECT * FROM recent WHERE response_id IN (SELECT response_id FROM node)
)
SELECT row_number() OVER (ORDER BY finished_at_us, provider, account, completion_id) AS completion_no, *
FROM sharing
