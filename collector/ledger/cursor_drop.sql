-- One row: how far a file was read.
DELETE FROM source_file WHERE file_id = $file_id
