-- One row per waiting line that tells a record, but for the lines that were set aside.
INSERT INTO client_call BY NAME
SELECT p.* EXCLUDE (fate)
FROM parsed AS p
ANTI JOIN set_aside AS a ON a.file_id = p.file_id AND a.line_no = p.line_no
WHERE p.fate IS NULL
