-- One row: the counter of that name.
DELETE FROM progress WHERE name = $name
