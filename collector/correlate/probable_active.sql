-- One row per lone suspect: its verdict has to be drawn again.
INSERT INTO active_suspect
SELECT suspect_no FROM lone_suspect EXCEPT SELECT suspect_no FROM active_suspect
