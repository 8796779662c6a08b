"""Presets: what Google itself writes into Cloud Logging, by name, and how each is asked for live.

A preset and the user's filter come in, the text that selects its entries goes out. The mapping of each stands in
the .sql file of its own; what Google's documentation does not confirm is said in docs/cloud-logging.md.
"""

from collections.abc import Mapping
from typing import Final

CLIENT_LOG: Final = "client-log"
CLOUD_RUN_REQUESTS: Final = "cloud-run-requests"
HTTP_LOAD_BALANCER: Final = "http-load-balancer"
JOBS: Final = "jobs"
INFERENCE_METADATA: Final = "vertex-inference-metadata"
VERTEX_AUDIT: Final = "vertex-audit"

# What is asked for at the least; entries are dear (60 calls a minute), so what can be no call is left at Google.
# Source: cloud.google.com/logging/docs/view/logging-query-language.
FILTERS: Mapping[str, str] = {
    CLIENT_LOG: (
        '(jsonPayload.event=("started" OR "ended" OR "job_wait_started" OR "job_wait_ended" OR "cancel_requested" OR '
        '"cancel_ended") AND jsonPayload.call_id:*) OR textPayload:"\\"call_id\\""'
    ),
    # An audit entry of a job or of its operation, and an object of a job that an application has logged.
    JOBS: (
        'operation.id:* OR protoPayload.methodName:("BatchPredictionJob" OR "PredictOperation" OR "Operations." OR '
        '"GenerateContentBatch") OR jsonPayload.state:* OR jsonPayload.status:* OR jsonPayload.processing_status:*'
    ),
    CLOUD_RUN_REQUESTS: (
        'resource.type="cloud_run_revision" AND log_id("run.googleapis.com/requests") AND '
        'httpRequest.requestMethod=("POST" OR "PUT")'
    ),
    HTTP_LOAD_BALANCER: (
        'resource.type=("http_load_balancer" OR "http_external_regional_lb_rule" OR "internal_http_lb_rule") AND '
        'httpRequest.requestMethod=("POST" OR "PUT")'
    ),
    # Nobody has confirmed the log's name, so whatever the service writes is looked at.
    INFERENCE_METADATA: 'logName:"aiplatform.googleapis.com" OR resource.type:"aiplatform.googleapis.com"',
    VERTEX_AUDIT: (
        'log_id("cloudaudit.googleapis.com/data_access") AND protoPayload.serviceName="aiplatform.googleapis.com" AND '
        'protoPayload.methodName:"PredictionService." AND NOT protoPayload.methodName:"CountTokens"'
    ),
}


def narrowed(preset: str | None, wanted: str) -> str:
    """The filter for a preset's entries of which the user wants only some; his may end in a comment."""
    least = FILTERS.get(preset or "", "")
    if not least or not wanted.strip():
        return least or wanted
    return f"({least}) AND (\n{wanted}\n)"
