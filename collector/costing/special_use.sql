-- One row per special completion, usage kind and bucket: what of the bucket's usage is its own.
CREATE OR REPLACE TEMP TABLE special_use AS
WITH
split AS (
    SELECT DISTINCT provider, account, model FROM bill_line WHERE usage_kind = 'thinking'
),
work AS (
    SELECT
        s.* REPLACE (coalesce(n.bill_model, s.model) AS model),
        (s.provider, s.account, coalesce(n.bill_model, s.model)) IN (SELECT (provider, account, model) FROM split)
            AS thinking_apart
    FROM special AS s
    LEFT JOIN model_name AS n ON n.provider = s.provider AND n.model = s.model
    WHERE s.billed
        AND s.finished_at_us >= (SELECT min(slot_at_us) FROM slot_period)
        AND s.finished_at_us < (SELECT max(slot_at_us) FROM slot_period) + 900000000
),
long AS (
    SELECT
        provider, account, completion_id, finished_at_us, received_at_us, model, price_class, verdict, lost_part,
        lost_whole, thinking_apart,
        unnest([
            {'kind': 'input', 'units': coalesce(input_tokens, 0)},
            {'kind': 'cached_input', 'units': coalesce(cached_input_tokens, 0)},
            {'kind': 'output',
                'units': coalesce(output_tokens, 0) + CASE WHEN thinking_apart THEN 0 ELSE coalesce(thinking_tokens, 0) END},
            {'kind': 'thinking', 'units': CASE WHEN thinking_apart THEN coalesce(thinking_tokens, 0) ELSE 0 END},
            {'kind': 'image', 'units': coalesce(images, 0)}
        ], recursive := true)
    FROM work
),
-- Where a period is billed in several currencies, the largest bucket takes the usage.
taking AS (
    SELECT *
    FROM full_bucket
    WHERE logged_micro > 0
    QUALIFY row_number() OVER (
        PARTITION BY provider, account, model, usage_kind, usage_start_us, usage_end_us, price_class
        ORDER BY billed_micro DESC NULLS LAST, currency
    ) = 1
),
placed AS (
    SELECT l.*, p.usage_start_us, l.units * 1000000::HUGEINT AS micro,
        b.bucket_no, b.price_class AS bucket_class, b.currency
    FROM long AS l
    JOIN slot_period AS p
        ON p.provider = l.provider AND p.account = l.account AND p.model = l.model AND p.usage_kind = l.kind
        AND p.slot_at_us = l.finished_at_us // 900000000 * 900000000
    JOIN class_rule AS r
        ON r.provider = l.provider AND r.account = l.account AND r.model = l.model AND r.usage_kind = l.kind
        AND r.usage_start_us = p.usage_start_us AND r.usage_end_us = p.usage_end_us
    JOIN taking AS b
        ON b.provider = l.provider AND b.account = l.account AND b.model = l.model AND b.usage_kind = l.kind
        AND b.usage_start_us = p.usage_start_us AND b.usage_end_us = p.usage_end_us
        AND b.price_class IS NOT DISTINCT FROM CASE WHEN r.apart THEN l.price_class END
    WHERE l.units > 0
),
parted AS (
    SELECT
        p.*,
        CASE
            WHEN c.movable_micro IS NOT NULL AND p.received_at_us < p.usage_start_us
            THEN p.micro * c.carried_micro // c.movable_micro
            ELSE 0
        END AS moved_micro,
        e.bucket_no AS earlier_no
    FROM placed AS p
    LEFT JOIN carry AS c
        ON c.provider = p.provider AND c.account = p.account AND c.model = p.model AND c.usage_kind = p.kind
        AND c.price_class IS NOT DISTINCT FROM p.bucket_class AND c.currency = p.currency
        AND c.usage_start_us = p.usage_start_us
    LEFT JOIN full_bucket AS e
        ON e.provider = p.provider AND e.account = p.account AND e.model = p.model AND e.usage_kind = p.kind
        AND e.price_class IS NOT DISTINCT FROM p.bucket_class AND e.currency = p.currency
        AND e.usage_start_us = c.earlier_start_us AND e.usage_end_us = c.earlier_end_us
)
SELECT
    bucket_no, provider, account, completion_id, finished_at_us, verdict, lost_part, lost_whole,
    kind AS usage_kind, thinking_apart, micro AS all_micro, micro - moved_micro AS micro
FROM parted
WHERE micro > moved_micro
UNION ALL
SELECT
    earlier_no, provider, account, completion_id, finished_at_us, verdict, lost_part, lost_whole, kind, thinking_apart,
    micro, moved_micro
FROM parted
WHERE moved_micro > 0 AND earlier_no IS NOT NULL
