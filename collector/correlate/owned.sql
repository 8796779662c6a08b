-- One row per contender and free completion that an id joins: both are out of the race.
CREATE OR REPLACE TEMP TABLE owned AS
SELECT k.contender_no, c.completion_no
FROM contender AS k
JOIN free_completion AS c ON c.hour_at_us = k.hour_at_us AND c.request_id = k.request_id
UNION
SELECT k.contender_no, c.completion_no
FROM contender AS k
JOIN free_completion AS c ON c.hour_at_us = k.hour_at_us AND c.request_id = k.received_request_id
UNION
SELECT k.contender_no, c.completion_no
FROM contender AS k
JOIN free_completion AS c ON c.hour_at_us = k.hour_at_us AND c.trace_id = k.trace_id AND c.span_id = k.span_id
UNION
SELECT k.contender_no, c.completion_no
FROM contender AS k
JOIN free_completion AS c ON c.hour_at_us = k.hour_at_us AND c.response_id = k.response_id
