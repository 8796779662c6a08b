-- One row per model and method that the audit entries tried show: how many calls.
SELECT model, method, count(*) AS calls FROM audit_call GROUP BY model, method ORDER BY model, method
