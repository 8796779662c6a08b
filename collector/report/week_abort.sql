-- One row per abort of the week that carries its attempt's money (kept for the statements that follow).
CREATE OR REPLACE TEMP TABLE week_abort AS
SELECT
    suspect_no, observer, call_id, coalesce(provider, '') AS provider, account, coalesce(model, '') AS model,
    coalesce(operation, '') AS operation, coalesce(service, '') AS service,
    CASE WHEN stream THEN 'stream' WHEN NOT stream THEN 'unary' ELSE '' END AS mode,
    started_at_us, ended_at_us, finished_at_us, reason, verdict, evidence, match_probability, completion_id,
    share_evidence, cost_nano, orphaned_nano, orphaned_low_nano, orphaned_high_nano, avoidable_nano, currency, basis,
    coalesce(finished_at_us, ended_at_us, started_at_us) AS at_us,
    verdict IN ('orphaned', 'cut_short') AS is_lost,
    -- the limit that fired, as somebody set it: whole seconds, tenths below two seconds
    CASE
        WHEN reason <> 'timeout' OR ended_at_us <= started_at_us THEN NULL
        WHEN ended_at_us - started_at_us < 2000000
        THEN greatest((ended_at_us - started_at_us + 50000) // 100000 * 100000, 100000)
        ELSE (ended_at_us - started_at_us + 500000) // 1000000 * 1000000
    END AS deadline_us
FROM verdict_current
WHERE money_row
    AND coalesce(finished_at_us, ended_at_us, started_at_us) >= $start_us
    AND coalesce(finished_at_us, ended_at_us, started_at_us) < $end_us
