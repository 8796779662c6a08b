-- One row per call and the completion chosen for it.
CREATE OR REPLACE TEMP TABLE matched (node_no BIGINT, completion_no BIGINT)
