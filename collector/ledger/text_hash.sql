-- One row per waiting line, in their order: a hash of its text.
SELECT hash(line) AS text_hash FROM line_batch
