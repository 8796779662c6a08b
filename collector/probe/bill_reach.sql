-- One row: the instant up to which the bill has been written, as far as anybody can know; NULL without a bill.
SELECT max(greatest(coalesce(export_at_us, 0), usage_end_us))
FROM billing_line
WHERE provider = $provider AND ($account::VARCHAR IS NULL OR account = $account)
