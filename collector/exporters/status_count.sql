-- One row: how many aborts stand without a completion, and how much work was cancelled without an abort.
SELECT
    (SELECT count(*) FROM verdict_current WHERE verdict = 'pending' AND money_row) AS pending,
    (SELECT count(*) FROM verdict_current WHERE verdict = 'unmatched' AND money_row) AS unmatched,
    (SELECT count(*) FROM special WHERE status = 'cancelled' AND suspect_no IS NULL) AS cancelled_without_abort
