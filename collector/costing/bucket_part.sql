-- One row per part of a settled bucket: a special completion, the delivered rest, or what no log showed.
CREATE OR REPLACE TEMP TABLE bucket_part AS
WITH
own AS (
    SELECT bucket_no, sum(micro) AS micro FROM special_use GROUP BY bucket_no
),
part AS (
    SELECT u.bucket_no, 1 AS part_rank, u.provider, u.account, u.completion_id, u.finished_at_us, u.verdict,
        u.lost_part, u.lost_whole, u.usage_kind, u.micro
    FROM special_use AS u
    JOIN full_bucket AS b ON b.bucket_no = u.bucket_no
    WHERE b.settled AND b.shareable AND NOT b.is_context
    UNION ALL
    SELECT b.bucket_no, 2, b.provider, b.account, '', NULL, 'rest', 0, 1, b.usage_kind,
        greatest(b.logged_micro - coalesce(o.micro, 0), 0)
    FROM full_bucket AS b
    LEFT JOIN own AS o ON o.bucket_no = b.bucket_no
    WHERE b.settled AND b.shareable AND NOT b.is_context
    UNION ALL
    SELECT b.bucket_no, 3, b.provider, b.account, '', NULL, 'unattributed', 0, 1, b.usage_kind,
        greatest(b.billed_micro - greatest(b.logged_micro, coalesce(o.micro, 0)), 0)
    FROM full_bucket AS b
    LEFT JOIN own AS o ON o.bucket_no = b.bucket_no
    WHERE b.settled AND b.shareable AND NOT b.is_context
),
-- Very large buckets are weighed in whole units, so that cost x usage stays within 128 bits.
scaled AS (
    SELECT
        p.*, b.billed_nano,
        CASE WHEN b.billed_micro > 1000000000000000 OR b.logged_micro > 1000000000000000
            THEN p.micro // 1000000 ELSE p.micro END AS weight
    FROM part AS p
    JOIN full_bucket AS b ON b.bucket_no = p.bucket_no
),
-- Sums are grouped and joined: as windows, they would sort all parts.
whole AS (
    SELECT bucket_no, sum(weight) AS whole_weight FROM scaled GROUP BY bucket_no
),
floored AS (
    SELECT s.*, w.whole_weight, quotient_of(s.billed_nano, s.weight, w.whole_weight) AS floor_nano
    FROM scaled AS s
    JOIN whole AS w ON w.bucket_no = s.bucket_no
),
given AS (
    SELECT bucket_no, sum(floor_nano) AS given_nano FROM floored GROUP BY bucket_no
),
ranked AS (
    SELECT
        f.*,
        f.billed_nano - g.given_nano AS left_nano,
        row_number() OVER (
            PARTITION BY f.bucket_no
            ORDER BY f.billed_nano::HUGEINT * f.weight - f.floor_nano * f.whole_weight DESC, f.part_rank,
                f.completion_id, f.finished_at_us
        ) AS remainder_rank
    FROM floored AS f
    JOIN given AS g ON g.bucket_no = f.bucket_no
)
-- largest remainder: the nano-units that rounding down left over go to those who lost most by it
SELECT
    bucket_no, part_rank, provider, account, completion_id, finished_at_us, verdict, usage_kind, micro, lost_part,
    lost_whole, floor_nano + CASE WHEN remainder_rank <= left_nano THEN 1 ELSE 0 END AS share_nano
FROM ranked
