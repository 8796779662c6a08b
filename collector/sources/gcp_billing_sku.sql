-- One row per different service, SKU and unit in the batch, to be understood once.
SELECT DISTINCT
    coalesce(v.service.description, ''), coalesce(v.service.id, ''), coalesce(v.sku.description, ''),
    coalesce(v.usage.unit, ''), coalesce(v.usage.pricing_unit, '')
FROM gcp_billing_field
WHERE v IS NOT NULL
