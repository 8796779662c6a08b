-- One row per touched completion that still needs figures of its own, with the share of it that was lost.
INSERT INTO special BY NAME
WITH
completion AS (
    SELECT c.* FROM backend_completion AS c
    SEMI JOIN special_touched AS t
        ON t.provider = c.provider AND t.account = c.account AND t.completion_id = c.completion_id
        AND t.finished_at_us = c.finished_at_us
    WHERE c.finished_at_us BETWEEN $special_from_us AND $special_to_us
),
money AS (
    SELECT m.*, s.stream, s.reason, s.output_tokens_received, s.bytes_received,
        -- by the backend's clock, as far as matching has learnt how the two stand
        s.started_at_us + coalesce(l.shift_us, 0) AS started_at_us, s.ended_at_us + coalesce(l.shift_us, 0) AS heard_at_us,
        s.first_byte_at_us + coalesce(l.shift_us, 0) AS first_byte_at_us,
        -- a proxy tells a call in one line, a client in two
        s.outcome = 'aborted' AND s.file_id = s.ended_file_id AND s.line_no = s.ended_line_no AS cut_off
    FROM chosen_match AS m
    JOIN suspect AS s ON s.suspect_no = m.suspect_no
    LEFT JOIN end_learnt AS l
        ON l.source = s.source AND l.hour_at_us = s.started_at_us // 3600000000 * 3600000000
    WHERE m.money_row
        AND m.finished_at_us BETWEEN $special_from_us AND $special_to_us
),
told AS (
    SELECT
        c.provider, c.account, c.completion_id, c.model, c.status, c.price_class, c.received_at_us,
        c.finished_at_us, c.input_tokens, c.cached_input_tokens, c.output_tokens, c.thinking_tokens, c.images,
        m.suspect_no, m.delivered_outside, m.bytes_total, m.heard_at_us, m.output_tokens_received,
        m.bytes_received, coalesce(m.reason, '') AS reason, coalesce(m.cut_off, false) AS cut_off,
        coalesce(m.stream, c.stream, false) AS stream,
        coalesce(c.output_tokens, 0) AS visible,
        CASE WHEN coalesce(c.first_byte_at_us, m.first_byte_at_us) < c.finished_at_us
            THEN coalesce(c.first_byte_at_us, m.first_byte_at_us) END AS first_byte_at_us,
        -- even generation begins with the first byte, or with the receipt where none is known
        least(coalesce(
            CASE WHEN coalesce(c.first_byte_at_us, m.first_byte_at_us) < c.finished_at_us
                THEN coalesce(c.first_byte_at_us, m.first_byte_at_us) END,
            c.received_at_us, m.started_at_us), c.finished_at_us)
            AS from_us
    FROM completion AS c
    LEFT JOIN money AS m
        ON m.provider = c.provider AND m.account = c.account AND m.completion_id = c.completion_id
    WHERE c.status <> 'ok' OR m.suspect_no IS NOT NULL
),
-- What reached the outermost observer: delivered_part of delivered_whole, best evidence first.
judged AS (
    SELECT
        *,
        CASE
            WHEN suspect_no IS NULL THEN 'none'
            WHEN reason = 'vanished' THEN 'vanished'
            WHEN delivered_outside THEN 'outside'
            WHEN output_tokens_received IS NOT NULL AND visible > 0 THEN 'tokens'
            WHEN bytes_received = 0 THEN 'nothing'
            -- what a backend stopped before its first visible token has reached nobody
            WHEN stream AND status <> 'ok' AND output_tokens = 0 THEN 'nothing'
            WHEN bytes_received IS NOT NULL AND bytes_total > 0 THEN 'bytes'
            WHEN stream AND finished_at_us > from_us THEN 'time'
            ELSE 'unary'
        END AS share_evidence
    FROM told
),
shared AS (
    SELECT
        *,
        CASE share_evidence
            WHEN 'tokens' THEN visible WHEN 'bytes' THEN bytes_total WHEN 'time' THEN finished_at_us - from_us ELSE 1
        END AS whole,
        CASE share_evidence
            WHEN 'outside' THEN 1
            WHEN 'tokens' THEN least(output_tokens_received, visible)
            WHEN 'bytes' THEN least(bytes_received, bytes_total)
            WHEN 'time' THEN greatest(least(heard_at_us, finished_at_us) - from_us, 0)
            ELSE 0
        END AS part,
        CASE share_evidence
            WHEN 'outside' THEN 1
            WHEN 'tokens' THEN least(output_tokens_received, visible)
            WHEN 'bytes' THEN greatest(least(bytes_received, bytes_total) - bytes_total // 20, 0)
            WHEN 'time' THEN CASE
                WHEN first_byte_at_us IS NULL AND heard_at_us < finished_at_us THEN 0
                ELSE greatest(least(heard_at_us - $skew_us, finished_at_us) - from_us, 0)
            END
            ELSE 0
        END AS part_low,
        CASE share_evidence
            WHEN 'outside' THEN 1
            WHEN 'tokens' THEN least(output_tokens_received, visible)
            WHEN 'bytes' THEN least(bytes_received + bytes_total // 20, bytes_total)
            WHEN 'time' THEN greatest(least(heard_at_us + $skew_us, finished_at_us) - from_us, 0)
            ELSE 0
        END AS part_high
    FROM judged
),
-- A unary answer is delivered whole or not at all.
settled_share AS (
    SELECT
        * EXCLUDE (part, part_low, part_high),
        CASE WHEN stream OR part >= whole THEN part ELSE 0 END AS part,
        CASE WHEN stream OR part_low >= whole THEN part_low ELSE 0 END AS part_low,
        CASE WHEN stream OR part_high >= whole THEN part_high ELSE 0 END AS part_high
    FROM shared
),
-- Tokens are whole: by a share of time, as many have arrived as were ready by then.
counted AS (
    SELECT
        * EXCLUDE (whole, part, part_low, part_high),
        CASE WHEN by_time THEN visible ELSE whole END AS whole,
        CASE WHEN by_time THEN (part::HUGEINT * visible // whole)::BIGINT ELSE part END AS part,
        CASE WHEN by_time THEN (part_low::HUGEINT * visible // whole)::BIGINT ELSE part_low END AS part_low,
        CASE WHEN by_time THEN (part_high::HUGEINT * visible // whole)::BIGINT ELSE part_high END AS part_high
    FROM (SELECT *, share_evidence = 'time' AND visible > 0 AS by_time FROM settled_share)
),
-- A proxy that saw the answer cut off has not passed on all of it, however late its line ends.
capped AS (
    SELECT
        * REPLACE (least(part, most) AS part, least(part_low, most) AS part_low, least(part_high, most) AS part_high)
    FROM (SELECT *, CASE WHEN cut_off AND share_evidence = 'time' THEN whole - 1 ELSE whole END AS most FROM counted)
),
decided AS (
    SELECT s.*, coalesce(p.billed, true) AS policy_billed, coalesce(p.disputed, false) AS policy_disputed
    FROM capped AS s
    ASOF LEFT JOIN policy_decision AS p
        ON p.provider = s.provider AND p.model = s.model AND p.status = s.status AND p.from_us <= s.finished_at_us
)
SELECT
    provider, account, completion_id, model, status, price_class, received_at_us, finished_at_us, input_tokens,
    cached_input_tokens, output_tokens, thinking_tokens, images, suspect_no,
    CASE
        WHEN status = 'error' THEN 'failed'
        WHEN status = 'cancelled' THEN 'cut_short'
        WHEN part >= whole AND reason <> 'vanished' THEN 'delivered'
        ELSE 'orphaned'
    END AS verdict,
    share_evidence, whole - part AS lost_part, whole AS lost_whole, whole - part_high AS low_part,
    whole - part_low AS high_part,
    CASE
        WHEN heard_at_us IS NULL OR finished_at_us <= from_us THEN NULL
        ELSE least(greatest(finished_at_us - greatest(heard_at_us, from_us), 0), finished_at_us - from_us)
    END AS avoid_part,
    nullif(finished_at_us - from_us, 0) AS avoid_whole,
    policy_billed AND price_class IS DISTINCT FROM 'provisioned' AS billed,
    policy_disputed AS disputed, stream, from_us, heard_at_us AS ended_at_us, first_byte_at_us IS NOT NULL AS first_byte_known,
    coalesce(bytes_received > 0, false) AS some_bytes
FROM decided
ORDER BY finished_at_us, completion_id
