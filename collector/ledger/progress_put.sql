-- One row: the counter of that name.
INSERT INTO progress VALUES ($name, $value)
