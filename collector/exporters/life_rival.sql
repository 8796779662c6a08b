-- One row per completion that one suspect may be, by time and size, the likeliest first.
SELECT
    completion_id, provider, account, finished_at_us, chosen, probability, weight, start_term, end_term, size_term,
    kind_term
FROM rival
WHERE suspect_no IN (SELECT unnest($suspect_nos))
ORDER BY probability DESC, finished_at_us, completion_id
