-- One row per different request (method and URI) in the batch, to be matched against the routes once.
SELECT DISTINCT coalesce(v.request_method, '') AS request_method, v.request_uri
FROM nginx_field
WHERE v.request_uri IS NOT NULL
