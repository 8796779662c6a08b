-- One row per row of the bill in the batch; equal rows are numbered within their delivery, the file.
INSERT INTO billing_line BY NAME
WITH
record AS (
    SELECT * EXCLUDE (fate) REPLACE ($batch_id::BIGINT AS batch_id) FROM staged_billing_line WHERE fate IS NULL
),
extent AS (SELECT min(usage_start_us) AS from_us, max(usage_start_us) AS to_us FROM record),
earlier AS (
    SELECT b.row_hash, b.file_id, b.occurrence_no, b.counts
    FROM billing_line AS b
    SEMI JOIN record AS r ON r.row_hash = b.row_hash
    WHERE b.usage_start_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
),
held AS (
    SELECT row_hash, file_id, max(occurrence_no) AS occurrences FROM earlier GROUP BY row_hash, file_id
),
counted AS (
    SELECT row_hash, max(occurrence_no) AS occurrences FROM earlier WHERE counts GROUP BY row_hash
),
numbered AS (
    SELECT
        r.*,
        coalesce(h.occurrences, 0) + row_number() OVER (PARTITION BY r.row_hash, r.file_id ORDER BY r.line_no)
            AS occurrence_no
    FROM record AS r
    LEFT JOIN held AS h ON h.row_hash = r.row_hash AND h.file_id = r.file_id
)
SELECT
    n.*,
    n.occurrence_no > coalesce(c.occurrences, 0) AND row_number() OVER (
        PARTITION BY n.row_hash, n.occurrence_no ORDER BY n.file_id, n.line_no
    ) = 1 AS counts
FROM numbered AS n
LEFT JOIN counted AS c ON c.row_hash = n.row_hash
ORDER BY n.file_id, n.line_no
