-- One row per completion told, with what its money was decided by where it needed figures of its own.
SELECT
    c.*, f.cursor, p.suspect_no, p.verdict, p.share_evidence, p.lost_part, p.lost_whole, p.low_part, p.high_part,
    p.avoid_part, p.avoid_whole, p.billed, p.disputed
FROM backend_completion AS c
SEMI JOIN (
    SELECT
        unnest($providers) AS provider, unnest($accounts) AS account, unnest($completion_ids) AS completion_id,
        unnest($instants_us) AS finished_at_us
) AS t
    ON t.provider = c.provider AND t.account IS NOT DISTINCT FROM c.account AND t.completion_id = c.completion_id
    AND t.finished_at_us = c.finished_at_us
LEFT JOIN source_file AS f ON f.file_id = c.file_id AND f.source = c.source
LEFT JOIN special AS p
    ON p.provider = c.provider AND p.account IS NOT DISTINCT FROM c.account AND p.completion_id = c.completion_id
    AND p.finished_at_us = c.finished_at_us
ORDER BY c.finished_at_us, c.completion_id
