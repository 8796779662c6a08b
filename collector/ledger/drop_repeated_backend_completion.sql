-- One row per line of the batch that stands in the ledger already.
DELETE FROM backend_completion WHERE rowid IN (SELECT row_no FROM repeated)
