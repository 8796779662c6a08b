-- One row per minute since an instant: how many rows were logged in it by now. Reads one column.
SELECT UNIX_MICROS(TIMESTAMP_TRUNC(logging_time, MINUTE)) AS minute_us, COUNT(*) AS row_count
FROM `the_export`
WHERE logging_time >= @since
    AND (_PARTITIONTIME >= @partition_from OR _PARTITIONTIME IS NULL)
GROUP BY minute_us
ORDER BY minute_us
