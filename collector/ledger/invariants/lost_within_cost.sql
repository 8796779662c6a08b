-- One row per changed verdict whose lost part is below 0, above the cost, or outside its own bounds.
SELECT observer, call_id, cost_nano, orphaned_low_nano, orphaned_nano, orphaned_high_nano
FROM verdict_changed
WHERE NOT retracted AND (
    orphaned_nano < 0 OR orphaned_nano > cost_nano OR orphaned_low_nano > orphaned_nano
    OR orphaned_nano > orphaned_high_nano OR avoidable_nano > orphaned_nano
)
