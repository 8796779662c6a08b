-- One row per fate of the lines tried: how many, and the first of them.
SELECT fate, count(*) AS lines, min(line_no) AS first_line_no FROM parsed GROUP BY fate ORDER BY first_line_no
