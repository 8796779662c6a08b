-- One row per edge in the order of choice: who wants which call, and which suspect that call is itself, if any.
SELECT edge_no, suspect_no, call_no, next_suspect_no FROM retry_order ORDER BY edge_no
