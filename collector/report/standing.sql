-- One row per currency, verdict, evidence and basis of the week's aborts: how many, and their sums; amounts are NULL where none is known.
SELECT
    currency, verdict, evidence, basis, count(*) AS aborts,
    count(*) FILTER (is_lost AND orphaned_nano IS NULL) AS unknown,
    sum(orphaned_nano)::HUGEINT AS lost_nano,
    sum(avoidable_nano)::HUGEINT AS avoidable_nano,
    count(*) FILTER (is_lost AND avoidable_nano IS NULL) AS avoidable_unknown,
    -- whole numbers, because a sum of fractions depends on its order
    sum(CAST(round(match_probability * 1000000) AS BIGINT))::HUGEINT AS probability_ppm_sum,
    min(CAST(round(match_probability * 1000000) AS BIGINT)) AS probability_ppm_min
FROM week_abort
GROUP BY currency, verdict, evidence, basis
ORDER BY currency NULLS FIRST, verdict, evidence, basis NULLS FIRST
