-- One row: how many keys stand among the waiting lines more than once, and the instants between which they lie.
SELECT
    count(key) - count(DISTINCT key) + count(entry_key) - count(DISTINCT entry_key), min(at_us), max(at_us)
FROM fresh_key
