-- One row: a target has the report of a week, if the transaction that this is part of is committed.
INSERT INTO report_delivery VALUES ($week, $target, $now_us)
