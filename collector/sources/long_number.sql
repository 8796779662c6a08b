-- One row per line of the batch that holds a number with more digits than a double keeps.
SELECT file_id, line_no, line FROM line_batch WHERE regexp_matches(line, '[0-9][0-9.]{17,}')
