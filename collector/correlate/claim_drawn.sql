-- One row per lone suspect and completion that it may be, over all hours that it races in, with the one that it gets.
CREATE OR REPLACE TEMP TABLE claim_drawn AS
WITH
together AS (
    SELECT * FROM claim_new
    UNION ALL
    SELECT c.* FROM claim AS c SEMI JOIN roamer AS r ON r.suspect_no = c.suspect_no
),
-- A later hour knows the completions just before it, an earlier one not those after it.
later AS (
    SELECT
        *, sum(probability) OVER (
            PARTITION BY suspect_no ORDER BY hour_at_us DESC RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS gone
    FROM together
),
weighed AS (
    SELECT
        * EXCLUDE (gone) REPLACE (
            CASE WHEN gone IS NULL THEN probability ELSE round(probability * greatest(1 - gone, 0), 6) END AS probability
        )
    FROM later
)
SELECT
    *,
    won AND probability >= $threshold AND row_number() OVER (
        PARTITION BY suspect_no, won ORDER BY probability DESC, hour_at_us, finished_at_us, completion_id
    ) = 1 AS chosen
FROM weighed
