-- One row per staged line that tells a record which the ledger does not have.
INSERT INTO client_call BY NAME
SELECT * EXCLUDE (fate) REPLACE ($batch_id::BIGINT AS batch_id)
FROM staged_client_call
WHERE fate IS NULL AND rowid NOT IN (SELECT row_no FROM repeated)
