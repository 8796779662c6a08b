-- One row per file that a source has read from.
SELECT cursor FROM source_file WHERE source = $source ORDER BY file_id
