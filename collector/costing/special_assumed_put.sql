-- One row per touched assumed completion, with the share of it that was lost.
INSERT INTO special BY NAME
WITH
touched AS (
    SELECT a.*, coalesce(a.output_tokens, 0) AS visible, s.reason, s.ended_at_us, s.bytes_received
    FROM assumed_completion AS a
    JOIN suspect AS s ON s.suspect_no = a.suspect_no
    SEMI JOIN special_touched AS t
        ON t.provider = a.provider AND t.account = a.account AND t.completion_id = a.completion_id
),
shared AS (
    SELECT
        *,
        greatest(visible, 1) AS whole,
        CASE WHEN stream AND reason <> 'vanished' THEN least(coalesce(tokens_received, 0), visible) ELSE 0 END AS part,
        -- a stream that nobody counted may have arrived whole
        CASE
            WHEN NOT stream OR reason = 'vanished' OR bytes_received = 0 THEN 0
            ELSE least(coalesce(tokens_received, visible), visible)
        END AS part_high
    FROM touched
)
SELECT
    provider, account, completion_id, model, CASE WHEN runs_on = 'no' THEN 'cancelled' ELSE 'ok' END AS status,
    started_at_us AS received_at_us, finished_at_us, input_tokens, output_tokens, suspect_no,
    CASE
        WHEN runs_on = 'no' THEN 'cut_short'
        WHEN stream AND part >= whole THEN 'delivered'
        ELSE 'orphaned'
    END AS verdict,
    'assumed' AS share_evidence, whole - part AS lost_part, whole AS lost_whole, whole - part_high AS low_part,
    greatest(whole - part, output_tokens_high - part) AS high_part,
    CASE WHEN ended_at_us IS NOT NULL THEN whole - part END AS avoid_part,
    CASE WHEN ended_at_us IS NOT NULL THEN whole END AS avoid_whole,
    billed, disputed, stream, started_at_us AS from_us, ended_at_us, true AS first_byte_known, false AS some_bytes
FROM shared
ORDER BY finished_at_us, completion_id
