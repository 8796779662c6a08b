"""The span processor: GenAI spans become the same two lines."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode, Tracer

import orphaned_inference
from orphaned_inference.otel import GenAiSpanProcessor
from tests.client.logs import only, pairs

CHAT: dict[str, str | bool | int] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
    "gen_ai.request.stream": True, "gen_ai.request.max_tokens": 50,
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the processor writes."""
    return tmp_path / "spans.jsonl"


@pytest.fixture
def tracer(path: Path) -> Iterator[Tracer]:
    """A tracer whose spans go through the processor."""
    provider = TracerProvider()
    provider.add_span_processor(GenAiSpanProcessor(log=path, service="desk"))
    yield provider.get_tracer("tests")
    provider.shutdown()


def test_delivered(tracer: Tracer, path: Path) -> None:
    """A span with its usage and finish reasons is a delivered call, joined by trace, span and response."""
    with tracer.start_as_current_span("chat m", attributes=CHAT) as span:
        assert only(path).ended == {}, "the start is on record while the call lasts"
        span.set_attribute("gen_ai.response.finish_reasons", ["stop"])
        span.set_attribute("gen_ai.usage.output_tokens", 12)
        span.set_attribute("gen_ai.response.id", "chatcmpl-1")
    call = only(path)
    assert call.fate == ("delivered", None)
    assert (call.ended["output_tokens_received"], call.ended["response_id"]) == (12, "chatcmpl-1")
    assert call.started["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert (call.started["service"], call.started["model"], call.started["max_output_tokens"]) == ("desk", "m", 50)


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (KeyboardInterrupt(), ("aborted", "interrupt")),
        (asyncio.CancelledError(), ("aborted", "cancelled")),
        (TimeoutError("late"), ("aborted", "timeout")),
        (ValueError("no"), ("failed", None)),
    ],
)
def test_exceptions(error: BaseException, fate: tuple[str, str | None], tracer: Tracer, path: Path) -> None:
    """An exception that ends the span tells the reason."""
    with pytest.raises(type(error)), tracer.start_as_current_span("chat m", attributes=CHAT):
        raise error
    assert only(path).fate == fate


def test_stream_without_an_end(tracer: Tracer, path: Path) -> None:
    """A streamed span with neither usage nor finish reasons was left: there is no convention to say so."""
    tracer.start_span("chat m", attributes=CHAT).end()
    assert only(path).fate == ("aborted", "cancelled")


def test_error_type(tracer: Tracer, path: Path) -> None:
    """An error's type counts without an exception."""
    span = tracer.start_span("chat m", attributes=CHAT)
    span.set_attribute("error.type", "openai.APITimeoutError")
    span.set_status(Status(StatusCode.ERROR))
    span.end()
    assert only(path).fate == ("aborted", "timeout")


def test_one_call_one_pair(tracer: Tracer, path: Path) -> None:
    """Spans around a call and within it (an agent, a framework's and an SDK's span) make one pair."""
    with tracer.start_as_current_span("invoke_agent", attributes={"gen_ai.operation.name": "invoke_agent"}):
        with (
            tracer.start_as_current_span("chat m", attributes=CHAT),
            tracer.start_as_current_span("chat m", attributes=CHAT),
        ):
            tracer.start_span("POST").end()
        with tracer.start_as_current_span("chat m", attributes=CHAT):
            pass
    assert len(pairs(path)) == 2


def test_attributes_that_come_late(tracer: Tracer, path: Path) -> None:
    """A span that says only later what it is gets both lines at its end, with its true beginning."""
    span = tracer.start_span("chat m", start_time=1_795_338_847_120_554_000)
    span.set_attributes(CHAT)
    span.set_attribute("gen_ai.usage.output_tokens", 1)
    span.end()
    call = only(path)
    assert call.started["at"] == "2026-11-22T09:14:07.120554Z"
    assert call.fate == ("delivered", None)


def test_silent_beside_a_watch(tracer: Tracer, path: Path, log: Path) -> None:
    """Where the watch is on, it sees the calls; the processor writes nothing."""
    orphaned_inference.watch(log=log)
    tracer.start_span("chat m", attributes=CHAT).end()
    assert pairs(path) == []
