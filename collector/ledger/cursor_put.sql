-- One row: how far a file was read.
INSERT INTO source_file VALUES ($file_id, $source, $cursor)
