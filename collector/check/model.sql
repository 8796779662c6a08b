-- One row per model that the records tried name.
SELECT DISTINCT provider, model FROM parsed WHERE fate IS NULL AND provider IS NOT NULL AND model IS NOT NULL
