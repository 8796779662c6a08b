"""What a user may say under `fields`: where the parts of a record stand in an entry of Cloud Logging."""

from typing import ClassVar, Self

from pydantic import model_validator

from collector.config.model import Section
from collector.config.values import FieldPath, FieldPaths, field_paths

FIELDS_REQUIRED = ("completion_id", "finished_at")


class Fields(Section):
    """Where the parts of a completion stand in a Cloud Logging entry: paths to try, the first present wins.

    A LogEntry has a trace and a span of its own: cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry.
    """

    blank_is_left_out: ClassVar[bool] = False  # a field without a path is one that the log does not have

    completion_id: FieldPaths = field_paths("insertId")
    request_id: FieldPaths = field_paths("jsonPayload.request_id")
    trace_id: FieldPaths = field_paths("jsonPayload.trace_id", "trace")
    span_id: FieldPaths = field_paths("jsonPayload.span_id", "spanId")
    response_id: FieldPaths = field_paths("jsonPayload.response_id")
    model: FieldPaths = field_paths("jsonPayload.model")
    stream: FieldPaths = field_paths("jsonPayload.stream")
    status: FieldPaths = field_paths("jsonPayload.status")
    error_code: FieldPaths = ()
    finished_at: FieldPaths = field_paths("timestamp")
    latency: FieldPaths = field_paths("httpRequest.latency")
    first_byte_at: FieldPaths = field_paths("jsonPayload.first_byte_at")
    input_tokens: FieldPaths = field_paths("jsonPayload.usage.input_tokens")
    cached_input_tokens: FieldPaths = field_paths("jsonPayload.usage.cached_input_tokens")
    output_tokens: FieldPaths = field_paths("jsonPayload.usage.output_tokens")
    thinking_tokens: FieldPaths = field_paths("jsonPayload.usage.thinking_tokens")
    images: FieldPaths = field_paths("jsonPayload.usage.images")
    price_class: FieldPaths = field_paths("jsonPayload.price_class")
    account: FieldPaths = field_paths("resource.labels.project_id")

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        for name in FIELDS_REQUIRED:
            if not getattr(self, name):
                raise ValueError(f"{name} needs a path; without it no completion can be read")
        return self

    def paths(self) -> dict[str, tuple[FieldPath, ...]]:
        """Field -> the paths to try in order; an empty tuple where the log does not have it."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class InferenceMetadataFields(Fields):
    """The same for Google's log of inference requests. Nobody has confirmed one of these names.

    What such an entry holds is documented, how it is called is not: docs.cloud.google.com/gemini-enterprise-
    agent-platform/models/capabilities/inference-metadata-logging. So each is tried in the ways Google writes.
    """

    request_id: FieldPaths = field_paths("labels.request_id", "jsonPayload.labels.request_id")
    trace_id: FieldPaths = field_paths("labels.trace_id", "trace")
    span_id: FieldPaths = field_paths("labels.span_id", "spanId")
    response_id: FieldPaths = field_paths("jsonPayload.responseId", "jsonPayload.response_id")
    model: FieldPaths = field_paths("jsonPayload.model", "jsonPayload.modelId", "jsonPayload.model_id")
    stream: FieldPaths = ()
    status: FieldPaths = ()
    error_code: FieldPaths = field_paths("jsonPayload.errorCode", "jsonPayload.error_code", "httpRequest.status")
    latency: FieldPaths = field_paths("jsonPayload.latency", "httpRequest.latency")
    first_byte_at: FieldPaths = ()
    input_tokens: FieldPaths = field_paths(
        "jsonPayload.inputTokenCount", "jsonPayload.input_token_count", "jsonPayload.input_tokens"
    )
    cached_input_tokens: FieldPaths = field_paths(
        "jsonPayload.cachedTokenCount", "jsonPayload.cached_token_count", "jsonPayload.cached_tokens"
    )
    output_tokens: FieldPaths = field_paths(
        "jsonPayload.outputTokenCount", "jsonPayload.output_token_count", "jsonPayload.output_tokens"
    )
    thinking_tokens: FieldPaths = field_paths(
        "jsonPayload.thoughtTokenCount", "jsonPayload.thought_token_count", "jsonPayload.thought_tokens"
    )
    images: FieldPaths = ()
    price_class: FieldPaths = field_paths("jsonPayload.trafficType", "jsonPayload.traffic_type")


class JobFields(Section):
    """Where the parts of a job's state stand in an entry that holds the provider's object of the job.

    The defaults are the names of google-genai (BatchJob), of the REST APIs, of openai (Batch) and anthropic
    (MessageBatch). What entries say of operations and methods stands where Google puts it.
    """

    blank_is_left_out: ClassVar[bool] = False

    job_id: FieldPaths = field_paths("jsonPayload.name", "jsonPayload.id", "jsonPayload.job_id")
    state: FieldPaths = field_paths("jsonPayload.state", "jsonPayload.status", "jsonPayload.processing_status")
    kind: FieldPaths = field_paths("jsonPayload.kind")
    logged_at: FieldPaths = field_paths("timestamp")
    created_at: FieldPaths = field_paths("jsonPayload.createTime", "jsonPayload.create_time", "jsonPayload.created_at")
    ended_at: FieldPaths = field_paths(
        "jsonPayload.endTime", "jsonPayload.end_time", "jsonPayload.ended_at", "jsonPayload.completed_at",
        "jsonPayload.cancelled_at", "jsonPayload.failed_at",
    )  # fmt: skip
    model: FieldPaths = field_paths("jsonPayload.model")
    price_class: FieldPaths = field_paths("jsonPayload.price_class")
    input_tokens: FieldPaths = field_paths("jsonPayload.usage.input_tokens")
    cached_input_tokens: FieldPaths = field_paths(
        "jsonPayload.usage.cached_input_tokens", "jsonPayload.usage.input_tokens_details.cached_tokens"
    )
    output_tokens: FieldPaths = field_paths("jsonPayload.usage.output_tokens")
    thinking_tokens: FieldPaths = field_paths(
        "jsonPayload.usage.thinking_tokens", "jsonPayload.usage.output_tokens_details.reasoning_tokens"
    )
    images: FieldPaths = field_paths("jsonPayload.usage.images")
    requests_total: FieldPaths = field_paths("jsonPayload.request_counts.total")
    requests_done: FieldPaths = field_paths(
        "jsonPayload.request_counts.completed", "jsonPayload.request_counts.succeeded",
        "jsonPayload.completionStats.successfulCount", "jsonPayload.completion_stats.successful_count",
    )  # fmt: skip
    requests_failed: FieldPaths = field_paths(
        "jsonPayload.request_counts.failed", "jsonPayload.request_counts.errored",
        "jsonPayload.completionStats.failedCount", "jsonPayload.completion_stats.failed_count",
    )  # fmt: skip
    requests_left: FieldPaths = field_paths(
        "jsonPayload.request_counts.canceled", "jsonPayload.completionStats.incompleteCount",
        "jsonPayload.completion_stats.incomplete_count",
    )  # fmt: skip
    account: FieldPaths = field_paths("resource.labels.project_id")

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        if not (self.job_id and self.state and self.logged_at):
            raise ValueError("job_id, state and logged_at need a path each; without them no state of a job can be read")
        return self

    def paths(self) -> dict[str, tuple[FieldPath, ...]]:
        """Field -> the paths to try in order; an empty tuple where the log does not have it."""
        return {name: getattr(self, name) for name in type(self).model_fields}
