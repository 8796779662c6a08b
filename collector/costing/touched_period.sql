-- One row per model, usage kind and charge period whose bucket has to be drawn again.
CREATE OR REPLACE TEMP TABLE touched_period AS
WITH
extent AS (
    SELECT min(at_us) - 2764800000000 AS from_us, max(at_us) + 90000000000 AS to_us
    FROM (
        SELECT at_us FROM touched_point
        UNION ALL
        SELECT usage_start_us FROM billing_line WHERE batch_id > $from_batch
        UNION ALL
        SELECT usage_end_us FROM billing_line WHERE batch_id > $from_batch
    )
),
period AS (
    SELECT
        provider, account, model, usage_kind, usage_start_us, usage_end_us,
        bool_or(batch_id > $from_batch) AS has_new
    FROM bill_line
    WHERE usage_start_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
    GROUP BY ALL
),
ripe AS (
    SELECT b.provider, b.account, b.model, b.usage_kind, b.usage_start_us, b.usage_end_us
    FROM bucket_current AS b
    JOIN waiting_account AS w ON w.provider = b.provider AND w.account = b.account
    WHERE NOT b.settled AND b.billed_nano IS NOT NULL AND b.usage_end_us <= w.log_at_us
        AND (
            w.bill_at_us >= b.usage_end_us + $settle_after_us
            OR (w.is_logged AND b.logged_micro > 0 AND b.billed_micro * 100 >= b.logged_micro * 98)
        )
),
-- A model whose bill shows thinking apart for the first time has its output drawn again everywhere.
split AS (
    SELECT provider, account, model
    FROM bill_line
    WHERE usage_kind = 'thinking'
    GROUP BY ALL
    HAVING min(batch_id) > $from_batch AND $from_batch > 0
),
core AS (
    SELECT p.provider, p.account, p.model, p.usage_kind, p.usage_start_us, p.usage_end_us
    FROM period AS p
    SEMI JOIN touched_point AS t
        ON t.provider = p.provider AND t.account = p.account AND t.model = p.model
        AND t.at_us >= p.usage_start_us AND t.at_us < p.usage_end_us
    UNION
    SELECT provider, account, model, usage_kind, usage_start_us, usage_end_us FROM period WHERE has_new
    UNION
    -- a day that a second source bills is drawn again, whoever counts now
    SELECT DISTINCT l.provider, l.account, l.model, l.usage_kind, l.usage_start_us, l.usage_end_us
    FROM billing_line AS l
    SEMI JOIN (SELECT * FROM overshadowed WHERE is_new) AS o
        ON o.provider = l.provider AND o.account = l.account
        AND o.day_at_us = l.usage_start_us // 86400000000 * 86400000000
    UNION
    SELECT * FROM ripe
    UNION
    SELECT b.provider, b.account, b.model, b.usage_kind, b.usage_start_us, b.usage_end_us
    FROM bucket_current AS b
    SEMI JOIN split AS s ON s.provider = b.provider AND s.account = b.account AND s.model = b.model
),
-- the neighbours, because usage is carried over the border between two periods
drawn AS (
    SELECT * FROM core
    UNION
    SELECT p.provider, p.account, p.model, p.usage_kind, p.usage_start_us, p.usage_end_us
    FROM period AS p
    SEMI JOIN core AS c
        ON c.provider = p.provider AND c.account = p.account AND c.model = p.model
        AND c.usage_kind = p.usage_kind AND c.usage_start_us = p.usage_end_us
    UNION
    SELECT p.provider, p.account, p.model, p.usage_kind, p.usage_start_us, p.usage_end_us
    FROM period AS p
    SEMI JOIN core AS c
        ON c.provider = p.provider AND c.account = p.account AND c.model = p.model
        AND c.usage_kind = p.usage_kind AND c.usage_end_us = p.usage_start_us
),
-- and theirs, which are looked at but not drawn: what a neighbour carries depends on its own neighbours
context AS (
    SELECT p.provider, p.account, p.model, p.usage_kind, p.usage_start_us, p.usage_end_us
    FROM period AS p
    SEMI JOIN drawn AS c
        ON c.provider = p.provider AND c.account = p.account AND c.model = p.model
        AND c.usage_kind = p.usage_kind AND c.usage_start_us = p.usage_end_us
    UNION
    SELECT p.provider, p.account, p.model, p.usage_kind, p.usage_start_us, p.usage_end_us
    FROM period AS p
    SEMI JOIN drawn AS c
        ON c.provider = p.provider AND c.account = p.account AND c.model = p.model
        AND c.usage_kind = p.usage_kind AND c.usage_end_us = p.usage_start_us
    EXCEPT
    SELECT * FROM drawn
)
SELECT *, false AS is_context FROM drawn
UNION ALL
SELECT *, true AS is_context FROM context
