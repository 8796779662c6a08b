-- One row per line that an observer wrote about one of the calls told, with what was chosen for the call.
SELECT
    c.*, f.cursor, s.suspect_no, s.hop, m.provider AS chosen_provider, m.account AS chosen_account,
    m.completion_id AS chosen_completion_id, m.finished_at_us AS chosen_finished_at_us, m.evidence,
    m.probability, m.attempt_no, m.money_row, m.delivered_outside, m.bytes_total
FROM client_call AS c
SEMI JOIN (SELECT unnest($sources) AS source, unnest($call_ids) AS call_id) AS t
    ON t.source = c.source AND t.call_id = c.call_id
LEFT JOIN source_file AS f ON f.file_id = c.file_id AND f.source = c.source
LEFT JOIN suspect AS s
    -- a proxy's line is known by its instant too: an id may have passed it more than once
    ON s.source = c.source AND s.call_id = c.call_id AND (c.event <> 'whole' OR s.started_at_us = c.started_at_us)
LEFT JOIN chosen_match AS m ON m.suspect_no = s.suspect_no
ORDER BY c.at_us, c.event DESC, c.source, c.call_id
