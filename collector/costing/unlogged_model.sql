-- One row per model with an active abort at a provider whose completions nobody logs.
SELECT DISTINCT provider, model
FROM suspect
WHERE suspect_no IN (SELECT suspect_no FROM active_suspect) AND provider IS NOT NULL AND model IS NOT NULL
    AND provider NOT IN (SELECT provider FROM completion_source)
ORDER BY ALL
