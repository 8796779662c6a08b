-- One row: how the source stands.
INSERT INTO source_state VALUES ($source, $kind, $up, $error, $success, $watermark)
