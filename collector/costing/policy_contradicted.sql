-- One row per claim of the policy table that the data contradict, said once.
INSERT INTO problem
WITH said AS (
    SELECT
        concat_ws(' ', provider, nullif(model, ''), mode) AS place,
        'runs_on = ' || runs_on || ', from ' || strftime(make_timestamp(from_us), '%Y-%m-%d') || ', by ' || source
            AS claim,
        'the policy table says that the backend '
        || CASE runs_on WHEN 'yes' THEN 'runs on' ELSE 'stops' END || ' when the caller leaves (certainty '
        || certainty || '), but of ' || (honored + ignored)::VARCHAR || ' aborts of the last 30 days it stopped for '
        || honored::VARCHAR || ' (90 % interval of the share: ' || printf('%.2f', honored_low) || ' to '
        || printf('%.2f', honored_high) || '). See orphaned export policies' AS message
    FROM policy_finding
    WHERE agrees = 'no'
)
SELECT 'policies', 'policy contradicted', place, message, $now_us, claim, $run_id
FROM said
WHERE (place, claim) NOT IN (SELECT (place, excerpt) FROM problem WHERE kind = 'policy contradicted')
ORDER BY place
