-- One row per export time since an export time: how many rows it has now. Reads one column.
SELECT UNIX_MICROS(export_time) AS export_at_us, COUNT(*) AS row_count
FROM `the_export`
WHERE export_time >= @since
    AND (_PARTITIONTIME >= @partition_from OR _PARTITIONTIME IS NULL)
GROUP BY export_at_us
ORDER BY export_at_us
