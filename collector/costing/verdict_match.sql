-- One row per touched suspect with a completion: its match, so that nothing is joined to all that was ever matched.
CREATE OR REPLACE TEMP TABLE verdict_match AS
SELECT m.* FROM chosen_match AS m JOIN verdict_touched AS t ON t.suspect_no = m.suspect_no
