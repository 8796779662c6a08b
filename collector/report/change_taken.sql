-- One row per offer that goes: a change was chosen, and nothing that it saves can be saved twice.
DELETE FROM change_offer
WHERE suspect_no IN (SELECT suspect_no FROM change_offer WHERE change_no = $change_no)
