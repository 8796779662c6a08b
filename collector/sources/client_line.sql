-- One row per line of the batch: the line of a client log that it is.
CREATE OR REPLACE TEMP VIEW client_line AS SELECT file_id, line_no, line FROM line_batch
