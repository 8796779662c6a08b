-- One row per new version of a bucket.
INSERT INTO bucket BY NAME SELECT * FROM bucket_changed ORDER BY usage_start_us, provider, account, model, usage_kind
