-- One row: how the source stood.
DELETE FROM source_state WHERE source = $source
