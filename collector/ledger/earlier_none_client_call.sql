-- One row per record in the ledger that has the call, and the hour, of a waiting line: none yet.
CREATE OR REPLACE TEMP TABLE earlier (
    call_id VARCHAR, event VARCHAR, instant_us BIGINT, file_id BIGINT, line_no BIGINT, content UBIGINT
)
