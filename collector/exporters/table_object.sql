-- One row per row of a batch: the JSON object that it is.
SELECT to_json(one_row) AS object FROM exported AS one_row
