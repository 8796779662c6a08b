-- One row per abort whose standing with the counters changes: what was counted for it, and what holds now.
CREATE OR REPLACE TEMP TABLE count_movement AS
WITH
admitted AS (SELECT label, value FROM label_value),
now_row AS (
    SELECT
        v.suspect_no, v.verdict, v.completion_id, v.started_at_us, v.ended_at_us, v.finished_at_us,
        CASE WHEN p.value IS NOT NULL OR v.provider IS NULL THEN coalesce(v.provider, '') ELSE 'other' END AS provider,
        CASE WHEN m.value IS NOT NULL OR v.model IS NULL THEN coalesce(v.model, '') ELSE 'other' END AS model,
        CASE WHEN s.value IS NOT NULL OR v.service IS NULL THEN coalesce(v.service, '') ELSE 'other' END AS service,
        v.reason, coalesce(v.currency, '') AS currency,
        CASE WHEN v.verdict IN ('orphaned', 'cut_short') THEN coalesce(v.orphaned_nano, 0) ELSE 0 END AS nano
    FROM verdict_changed AS v
    LEFT JOIN admitted AS p ON p.label = 'provider' AND p.value = v.provider
    LEFT JOIN admitted AS m ON m.label = 'model' AND m.value = v.model
    LEFT JOIN admitted AS s ON s.label = 'service_name' AND s.value = v.service
    WHERE NOT v.retracted AND v.money_row AND v.verdict <> 'pending'
),
-- An attempt that another observer's row had counted is handed over, not counted twice.
heir AS (
    SELECT n.suspect_no, min(c.suspect_no) AS counted_no
    FROM now_row AS n
    JOIN verdict_changed AS o
        ON o.completion_id = n.completion_id AND o.suspect_no <> n.suspect_no AND NOT o.money_row
    JOIN counted AS c ON c.suspect_no = o.suspect_no
    WHERE n.suspect_no NOT IN (
        SELECT k.suspect_no FROM counted AS k JOIN verdict_changed AS v ON v.suspect_no = k.suspect_no
    )
    GROUP BY n.suspect_no
),
was AS (
    SELECT c.*, coalesce(h.suspect_no, c.suspect_no) AS now_no
    FROM counted AS c
    LEFT JOIN heir AS h ON h.counted_no = c.suspect_no
    WHERE c.suspect_no IN (SELECT suspect_no FROM verdict_changed)
)
SELECT
    coalesce(n.suspect_no, w.now_no) AS suspect_no, w.suspect_no AS counted_no,
    n.verdict, n.provider, n.model, n.service, n.reason, n.currency, n.nano,
    n.started_at_us, n.ended_at_us, n.finished_at_us,
    w.verdict AS old_verdict, w.provider AS old_provider, w.model AS old_model, w.service AS old_service,
    w.reason AS old_reason, w.currency AS old_currency, w.recognized_nano AS old_nano
FROM now_row AS n
FULL OUTER JOIN was AS w ON w.now_no = n.suspect_no
