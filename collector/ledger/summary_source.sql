-- One row per source.
SELECT source, kind, up, error, last_success_at_us, watermark_at_us FROM source_state ORDER BY source
