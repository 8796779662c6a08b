-- One row per model whose work has to be priced in this run.
SELECT provider, model FROM slot_usage
UNION
SELECT s.provider, s.model
FROM special AS s
SEMI JOIN special_wanted AS w
    ON w.provider = s.provider AND w.account = s.account AND w.completion_id = s.completion_id
    AND w.finished_at_us = s.finished_at_us
ORDER BY ALL
