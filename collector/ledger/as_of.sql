-- What was known by an instant: tables of the same names as the current ones, in front of them for this connection.
CREATE OR REPLACE TEMP TABLE verdict_current AS
SELECT * FROM main.verdict
WHERE recorded_at_us <= getvariable('now_us')
QUALIFY row_number() OVER (PARTITION BY suspect_no ORDER BY run_id DESC) = 1;
DELETE FROM temp.verdict_current WHERE retracted;
CREATE OR REPLACE TEMP TABLE retry_current AS
SELECT * FROM main.retry_link
WHERE recorded_at_us <= getvariable('now_us')
QUALIFY row_number() OVER (PARTITION BY suspect_no ORDER BY run_id DESC) = 1;
DELETE FROM temp.retry_current WHERE retracted;
CREATE OR REPLACE TEMP TABLE job_current AS
SELECT * FROM main.job
WHERE recorded_at_us <= getvariable('now_us')
QUALIFY row_number() OVER (PARTITION BY job_no ORDER BY run_id DESC) = 1;
CREATE OR REPLACE TEMP TABLE bucket_current AS
SELECT * FROM main.bucket
WHERE recorded_at_us <= getvariable('now_us')
QUALIFY row_number() OVER (
    PARTITION BY provider, account, model, usage_kind, price_class, currency, usage_start_us, usage_end_us
    ORDER BY run_id DESC
) = 1;
DELETE FROM temp.bucket_current WHERE retracted;
CREATE OR REPLACE TEMP TABLE counter_total AS
SELECT name, labels, sum(delta) AS value
FROM main.counter_change
WHERE recorded_at_us <= getvariable('now_us')
GROUP BY name, labels;
CREATE OR REPLACE TEMP TABLE problem AS
SELECT * FROM main.problem WHERE seen_at_us <= getvariable('now_us');
CREATE OR REPLACE TEMP TABLE run AS
SELECT * FROM main.run WHERE recorded_at_us <= getvariable('now_us');
