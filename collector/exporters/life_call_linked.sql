-- One row per observer's call that shares an id with those told, or that was matched to one of the completions.
WITH
told AS (SELECT unnest($completion_ids) AS completion_id),
chosen AS (
    SELECT s.source, s.call_id
    FROM chosen_match AS m
    JOIN suspect AS s ON s.suspect_no = m.suspect_no
    WHERE m.completion_id IN (SELECT completion_id FROM told)
),
linked AS (
    SELECT source, call_id
    FROM client_call
    WHERE request_id IN (SELECT unnest($request_ids)) OR received_request_id IN (SELECT unnest($request_ids))
        OR trace_id || '/' || span_id IN (SELECT unnest($spans))
        OR response_id IN (SELECT unnest($response_ids))
)
SELECT source, call_id FROM chosen
UNION
SELECT source, call_id FROM linked
ORDER BY source, call_id
LIMIT $rows_max
