"""For programs that trace with OpenTelemetry already: GenAI spans come in, the client log goes out.

    provider.add_span_processor(orphaned_inference.otel.GenAiSpanProcessor(log="calls.jsonl"))

A span counts as a call if it names an inference operation; agents and tools do not, nor does a span within another
that counts. While `watch()` is on nothing is written here: it sees the same calls, and closer. Needs the extra `otel`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from orphaned_inference.calls import STATE, process_name, program_name
from orphaned_inference.journal import Journal, instant
from orphaned_inference.quiet import quietly
from orphaned_inference.reasons import CANCELLED, DELIVERED, FAILED, INTERRUPT, TIMEOUT, Ending, ending_of

_OPERATIONS = frozenset({
    "chat", "embeddings", "generate_content", "image_generation", "invoke_model", "text_completion",
})  # fmt: skip
_INTERRUPTS = ("KeyboardInterrupt",)
_CANCELS = ("Cancelled", "GeneratorExit", "AbortError", "context canceled", "499")
_DEADLINES = ("Timeout", "timeout", "DeadlineExceeded", "deadline exceeded")

Attributes = Mapping[str, Any]


class GenAiSpanProcessor(SpanProcessor):
    """Writes two lines for each GenAI span. `log`, `service`: as for `orphaned_inference.watch`."""

    def __init__(self, log: str | os.PathLike[str] | None = None, service: str | None = None) -> None:
        path = os.fspath(log) if log is not None else os.environ.get("ORPHANED_INFERENCE_LOG")
        self._journal = Journal(path or "orphaned-inference.jsonl")
        self._service = service or os.environ.get("ORPHANED_INFERENCE_SERVICE")
        self._open: set[int] = set()  # span ids with a `started` line
        self._within: set[int] = set()  # span ids inside one of these

    @quietly
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """A span begins: if its attributes say already that it is a call, its `started` line is written."""
        context = span.get_span_context()
        if STATE.watch is not None or context is None:
            return
        parent_id = span.parent.span_id if span.parent is not None else 0
        if parent_id in self._open or parent_id in self._within:
            self._within.add(context.span_id)
        elif _is_call(span.attributes or {}):
            self._write_started(span)
            self._open.add(context.span_id)

    @quietly
    def on_end(self, span: ReadableSpan) -> None:
        """A span ends: so does its call. One whose attributes came late gets both lines now."""
        context = span.get_span_context()
        if context is None or context.span_id in self._within:
            self._within.discard(context.span_id if context is not None else 0)
            return
        if context.span_id not in self._open:
            if STATE.watch is not None or not _is_call(span.attributes or {}):
                return
            self._write_started(span)
        self._open.discard(context.span_id)
        self._write_ended(span)

    def _write_started(self, span: ReadableSpan) -> None:
        said = span.attributes or {}
        record = {
            "event": "started", "call_id": _call_id(span), "at": instant(span.start_time or 0),
            "service": self._service or span.resource.attributes.get("service.name") or program_name(),
            "provider": said.get("gen_ai.provider.name", said.get("gen_ai.system")), "account": None,
            "model": said.get("gen_ai.request.model"), "operation": said.get("gen_ai.operation.name"),
            "stream": bool(said.get("gen_ai.request.stream")), "request_id": None, **_ids(span), "retry_of": None,
            "process": process_name(),
        }  # fmt: skip
        counts = {
            "input_tokens": said.get("gen_ai.usage.input_tokens"),
            "max_output_tokens": said.get("gen_ai.request.max_tokens"),
        }
        self._journal.write({**record, **{key: count for key, count in counts.items() if type(count) is int}})

    def _write_ended(self, span: ReadableSpan) -> None:
        said = span.attributes or {}
        ending = _ending(span)
        self._journal.write({
            "event": "ended", "call_id": _call_id(span), "at": instant(span.end_time or 0),
            "outcome": ending.outcome, "reason": ending.reason,
            "status_code": said.get("http.response.status_code"), "bytes_received": None,
            "output_tokens_received": _output_tokens(said), "response_id": said.get("gen_ai.response.id"),
        })  # fmt: skip


def _is_call(said: Attributes) -> bool:
    return said.get("gen_ai.operation.name") in _OPERATIONS


def _output_tokens(said: Attributes) -> int | None:
    found = said.get("gen_ai.usage.output_tokens", said.get("gen_ai.usage.completion_tokens"))
    return found if type(found) is int else None


def _ids(span: ReadableSpan) -> dict[str, str]:
    context = span.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"} if context else {}


def _call_id(span: ReadableSpan) -> str:
    return "-".join(_ids(span).values())


def _ending(span: ReadableSpan) -> Ending:
    """How the call ended. There is no convention for leaving: the error's kind tells, or that an end is missing."""
    error = sys.exc_info()[1]
    if error is not None and not isinstance(error, Exception):  # Ctrl-C and cancellations, which spans do not record
        return ending_of(error, signalled=False)
    said = span.attributes or {}
    kinds = [str(said.get("error.type", "")), span.status.description or ""]
    kinds += [str((event.attributes or {}).get("exception.type", "")) for event in span.events]
    told = " ".join(kinds)
    for words, ending in ((_INTERRUPTS, INTERRUPT), (_DEADLINES, TIMEOUT), (_CANCELS, CANCELLED)):
        if any(word in told for word in words):
            return ending
    if span.status.status_code is StatusCode.ERROR or said.get("error.type"):
        return FAILED
    is_unfinished = not said.get("gen_ai.response.finish_reasons") and _output_tokens(said) is None
    return CANCELLED if said.get("gen_ai.request.stream") and is_unfinished else DELIVERED
