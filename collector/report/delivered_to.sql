-- One row per target that has the report of a week.
SELECT target FROM report_delivery WHERE week = $week ORDER BY target
