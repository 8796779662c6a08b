-- One row per fate of the lines tried that tell of jobs: how many, and the first of them.
SELECT fate, count(*) AS lines, min(line_no) AS first_line_no FROM job_parsed GROUP BY fate ORDER BY first_line_no
