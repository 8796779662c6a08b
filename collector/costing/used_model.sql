-- One row per model whose work has to be priced in this run.
SELECT provider, log_model AS model FROM slot_usage
UNION
SELECT s.provider, s.model
FROM special AS s
SEMI JOIN special_wanted AS w
    ON w.provider = s.provider AND w.account = s.account AND w.completion_id = s.completion_id
    AND w.finished_at_us = s.finished_at_us
UNION
SELECT s.provider, s.model
FROM suspect AS s
WHERE s.suspect_no IN (SELECT suspect_no FROM active_suspect) AND s.provider IS NOT NULL AND s.model IS NOT NULL
    AND s.suspect_no IN (SELECT suspect_no FROM rival)
ORDER BY ALL
