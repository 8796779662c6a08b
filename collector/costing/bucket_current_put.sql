-- One row per bucket that has a new version and still is one.
INSERT INTO bucket_current BY NAME
SELECT * FROM bucket_changed WHERE NOT retracted ORDER BY usage_start_us, provider, account, model, usage_kind
