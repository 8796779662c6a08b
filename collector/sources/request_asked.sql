-- One row per different request (method and URL) in the batch, to be matched against the routes once.
SELECT DISTINCT coalesce(v.httpRequest.requestMethod, '') AS request_method, v.httpRequest.requestUrl AS request_uri
FROM request_field
WHERE v.httpRequest.requestUrl IS NOT NULL
