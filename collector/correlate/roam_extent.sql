-- One row: the hours whose completions of unknown receipt something new may want, to be bound as constants.
SELECT
    (min(from_us) - $margin_us) // 3600000000 * 3600000000 - $margin_us AS roam_from_us,
    (max(to_us) + $after_us + $margin_us) // 3600000000 * 3600000000 + 3600000000 + $margin_us AS roam_to_us
FROM (
    SELECT min(started_at_us) AS from_us, max(left_at_us) AS to_us FROM changed_suspect
    UNION ALL
    SELECT min(at_us), max(at_us) FROM touched_at
)
