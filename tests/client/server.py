"""An inference service on loopback that answers as the model's name says, in the shapes of the real providers.

A request's path picks the shape (Gemini, Imagen, OpenAI chat and responses, Anthropic, batches), the model's name
the behaviour: `quick`, `slow` (a stream of `PIECES` events over a second), `hang` (no answer), `hang-midway`, `drop`
(closes without an answer), `drop-midway`, `error` (500), `flaky` (500 the first time), `late` (hangs the first time).
Nothing in here knows the client.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECES = 20
PIECE_SECONDS = 0.05
HANG_SECONDS_MAX = 20.0
Json = dict[str, Any]


@dataclass
class Service:
    """A running server: where it is, what it was asked, and its jobs' states."""

    url: str
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, str] = field(default_factory=dict)
    drops: int = 0  # this many cancels are taken from a connection that is closed then, as an idle one may be
    is_heard: bool = False  # the dropped ones take effect all the same
    refuses: bool = False  # a cancel of what is cancelled gets a 409
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stop: threading.Event = field(default_factory=threading.Event)

    def wait_for_request(self) -> None:
        """Waits until the next request has come in whole."""
        assert self.arrived.acquire(timeout=HANG_SECONDS_MAX), "no request came"


def behaviour_of(path: str, body: Json) -> str:
    """The model's name, wherever this provider puts it."""
    found = re.search(r"/models/([^:/]+):", path)
    return found.group(1) if found else str(body.get("model", "quick"))


def wants_stream(path: str, body: Json) -> bool:
    """Whether the answer is to be a stream."""
    return "stream" in path.rpartition(":")[2] or body.get("stream") is True


def whole_answer(path: str) -> Json:
    """The answer in one piece."""
    if path.endswith(":predict"):
        return {"predictions": [{"bytesBase64Encoded": "aGVsbG8=", "mimeType": "image/png"}]}
    if ":generateContent" in path:
        return gemini_event("Hello", "STOP", PIECES)
    if path.endswith("/messages"):
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "quick", "stop_reason": "end_turn",
            "stop_sequence": None, "content": [{"type": "text", "text": "Hello"}],
            "usage": {"input_tokens": 5, "output_tokens": PIECES},
        }  # fmt: skip
    if path.endswith("/responses"):
        return response_object("completed")
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "quick",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 5, "completion_tokens": PIECES + 7, "total_tokens": PIECES + 12,
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
    }  # fmt: skip


def response_object(status: str, name: str = "resp_1") -> Json:
    """OpenAI's Response; its usage is known when it has ended."""
    if status != "completed":
        return {**response_object("completed", name), "status": status, "usage": None}
    return {
        "id": name, "object": "response", "created_at": 1, "model": "quick", "output": [], "status": status,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": {
            "input_tokens": 5, "output_tokens": PIECES, "total_tokens": PIECES + 5,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
        },
    }  # fmt: skip


def gemini_event(text: str, finish: str | None, tokens: int) -> Json:
    """Gemini's chunk, which counts its tokens as it goes."""
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate], "modelVersion": "quick", "responseId": "gem-1",
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": tokens, "thoughtsTokenCount": 3},
    }  # fmt: skip


def events(path: str) -> list[bytes]:
    """The answer as a stream: `PIECES` events with text, and what the provider puts around them."""
    if "streamGenerateContent" in path:
        return [
            _data(gemini_event("Hello ", "STOP" if piece == PIECES else None, piece)) for piece in range(1, PIECES + 1)
        ]
    if path.endswith("/messages"):
        return _anthropic_events()
    if path.endswith("/responses"):
        return _response_events()
    pieces = [_chat_event({"content": "Hello "}, None) for _ in range(PIECES)]
    return [*pieces, _chat_event({}, "stop"), b"data: [DONE]\n\n"]


def _anthropic_events() -> list[bytes]:
    message = {**whole_answer("/messages"), "content": [], "stop_reason": None}
    message["usage"] = {"input_tokens": 5, "output_tokens": 1}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello "}}
    return [
        _named({"type": "message_start", "message": message})
        + _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *[_named(delta) for _ in range(PIECES)],
        _named({"type": "content_block_stop", "index": 0})
        + _named({
            "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": PIECES},
        })
        + _named({"type": "message_stop"}),
    ]  # fmt: skip


def _response_events() -> list[bytes]:
    delta = {
        "type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "Hello ",
        "sequence_number": 1, "logprobs": [],
    }  # fmt: skip
    return [
        _named({"type": "response.created", "response": response_object("in_progress"), "sequence_number": 0}),
        *[_named(delta) for _ in range(PIECES)],
        _named({"type": "response.completed", "response": response_object("completed"), "sequence_number": 2}),
    ]


def _chat_event(delta: Json, finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _data({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "quick", "choices": [choice],
    })  # fmt: skip


def _data(event: Json) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _named(event: Json) -> bytes:
    return f"event: {event['type']}\n".encode() + _data(event)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base has
        """Says nothing."""

    def do_GET(self) -> None:
        """A job's state."""
        self._note(b"")
        self._json(self._job(self.path))

    def do_POST(self) -> None:
        """An inference call, or a job's cancel."""
        raw = self._body()
        self._note(raw)
        path = self.path.partition("?")[0]
        if path.endswith(("/cancel", ":cancel")):
            self._cancel(_job_name(path), path)
            return
        body: Json = json.loads(raw) if raw[:1] == b"{" else {}
        behaviour = behaviour_of(path, body)
        self.service.seen[behaviour] += 1
        self._behave(behaviour, path, stream=wants_stream(path, body))

    def _cancel(self, name: str, path: str) -> None:
        service = self.service
        if service.drops:
            service.drops -= 1
            self.close_connection = True
            if service.is_heard:
                service.jobs[name] = "cancelled"
            return
        if service.refuses and service.jobs.get(name) == "cancelled":
            self._json({"error": {"message": "already", "type": "invalid_request_error", "code": 409}}, 409)
            return
        service.jobs[name] = "cancelled"
        self._json(self._job(path))

    def _body(self) -> bytes:
        """The request's body, by its length or in chunks."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _note(self, raw: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.service.requests.append((self.command, self.path, headers, raw))
        self.service.arrived.release()

    def _behave(self, behaviour: str, path: str, *, stream: bool) -> None:
        first = self.service.seen[behaviour] == 1
        if behaviour == "hang" or (behaviour == "late" and first):
            self._hang()
        elif behaviour == "drop":
            self.close_connection = True
        elif behaviour == "error" or (behaviour == "flaky" and first):
            self._json({"error": {"message": "no", "type": "server_error", "code": 500}}, 500)
        elif stream:
            self._stream(behaviour, path)
        elif behaviour.endswith("-midway"):
            self._half(behaviour, path)
        else:
            self._json(whole_answer(path))

    def _hang(self) -> None:
        self.service.stop.wait(HANG_SECONDS_MAX)
        self.close_connection = True

    def _json(self, answer: Json, status: int = 200) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _half(self, behaviour: str, path: str) -> None:
        text = json.dumps(whole_answer(path)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[: len(text) // 2])
        self.close_connection = True
        if behaviour == "hang-midway":
            self._hang()

    def _stream(self, behaviour: str, path: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events(path)):
            if behaviour.endswith("-midway") and number == PIECES // 2:
                self.close_connection = True
                if behaviour == "hang-midway":
                    self._hang()
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            if behaviour == "slow" and self.service.stop.wait(PIECE_SECONDS):
                return
        self.wfile.write(b"0\r\n\r\n")

    def _job(self, path: str) -> Json:
        name = _job_name(path)
        state = self.service.jobs.setdefault(name, "running")
        if "/responses/" in path:
            return response_object({"running": "in_progress"}.get(state, state), name)
        if name.startswith("batches/"):  # Gemini's: an operation
            stated = {"running": "BATCH_STATE_RUNNING"}.get(state, f"BATCH_STATE_{state.upper()}")
            return {"name": name, "metadata": {"@type": "x", "name": name, "model": "models/quick", "state": stated}}
        return {
            "id": name, "object": "batch", "created_at": 1, "completion_window": "24h", "input_file_id": "f",
            "endpoint": "/v1/chat/completions", "status": {"running": "in_progress"}.get(state, state),
        }  # fmt: skip


def _job_name(path: str) -> str:
    bare = re.sub(r"[/:]cancel$", "", path.partition("?")[0])
    found = re.search(r"batches/(?!batch_)[^/:]+$", bare)  # Google's names have a folder, OpenAI's ids have not
    return found.group(0) if found else bare.rpartition("/")[2]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients that leave are what this is about."""


@contextmanager
def serving() -> Iterator[Service]:
    """A service on a free port of loopback."""

    class Bound(Handler):
        """The handler of this one service."""

    server = _Server(("127.0.0.1", 0), Bound)
    Bound.service = service = Service(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
