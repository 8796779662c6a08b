-- One row per record in the ledger that has the completion or the entry, and the hour, of a waiting line: none yet.
CREATE OR REPLACE TEMP TABLE earlier (
    account VARCHAR, completion_id VARCHAR, log_name VARCHAR, insert_id VARCHAR, finished_at_us BIGINT,
    file_id BIGINT, line_no BIGINT, content UBIGINT
)
