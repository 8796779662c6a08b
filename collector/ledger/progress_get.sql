-- One row where the counter of that name exists.
SELECT value FROM progress WHERE name = $name
