-- One row per part of a settled bucket, with how much of its share was lost.
CREATE OR REPLACE TEMP TABLE share_lost AS
SELECT
    *,
    CASE
        WHEN verdict NOT IN ('orphaned', 'cut_short') THEN 0
        WHEN lost_part = lost_whole THEN share_nano
        WHEN usage_kind IN ('input', 'cached_input') THEN 0
        ELSE share_of(share_nano, lost_part, lost_whole)
    END AS lost_nano
FROM bucket_part
