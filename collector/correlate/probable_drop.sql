-- One row per lone suspect: what was chosen for it before.
DELETE FROM chosen_match WHERE suspect_no IN (SELECT suspect_no FROM lone_suspect)
