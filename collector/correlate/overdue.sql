-- One row per call that started more than a horizon ago and whose end has not been read.
CREATE OR REPLACE TEMP TABLE overdue AS
SELECT c.source, c.call_id, c.started_at_us
FROM open_call AS c
JOIN observer AS o ON o.source = c.source
WHERE c.suspect_no IS NULL AND NOT c.wrote_on AND c.started_at_us + $horizon_us <= least($now_us, o.watermark_at_us)
