-- One row: how many staged records repeat one that was read before, and how many contradict it.
SELECT count(*), count(*) FILTER (differs) FROM repeated
