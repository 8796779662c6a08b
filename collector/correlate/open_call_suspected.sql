-- One row per started call that is taken as vanished: it stays open, in case its end comes after all.
UPDATE open_call AS o SET suspect_no = n.suspect_no
FROM new_suspect AS n
WHERE n.source = o.source AND n.call_id = o.call_id AND n.reason = 'vanished'
