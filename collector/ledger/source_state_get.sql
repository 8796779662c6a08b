-- One row where the source has been read before.
SELECT last_success_at_us, watermark_at_us FROM source_state WHERE source = $source
