-- One row per completion that shares an id with the calls told, or that was matched to one of them.
WITH
told AS (SELECT unnest($sources) AS source, unnest($call_ids) AS call_id),
chosen AS (
    SELECT m.provider, m.account, m.completion_id, m.finished_at_us
    FROM suspect AS s
    SEMI JOIN told AS t ON t.source = s.source AND t.call_id = s.call_id
    JOIN chosen_match AS m ON m.suspect_no = s.suspect_no
    WHERE m.completion_id IS NOT NULL
),
linked AS (
    SELECT provider, account, completion_id, finished_at_us
    FROM backend_completion
    WHERE request_id IN (SELECT unnest($request_ids)) OR trace_id || '/' || span_id IN (SELECT unnest($spans))
        OR response_id IN (SELECT unnest($response_ids))
)
SELECT provider, account, completion_id, finished_at_us FROM chosen
UNION
SELECT provider, account, completion_id, finished_at_us FROM linked
ORDER BY finished_at_us, completion_id
LIMIT $rows_max
