-- One row per line of the batch that stands in the ledger already.
DELETE FROM client_call WHERE rowid IN (SELECT row_no FROM repeated)
