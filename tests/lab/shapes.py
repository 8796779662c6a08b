"""What the simulated service says, in the providers' own shapes. A cell's usage comes in; bytes and JSON go out.

Shapes: ai.google.dev/api/generate-content, Vertex AI's publisher models `:predict`, and OpenAI's chat completions,
as google-genai 3.4 and httpx read them. Nothing in here knows time or sockets.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.lab.cells import EVENTS, MODELS, Cell

Json = dict[str, Any]
TOKENS_AN_EVENT = 7  # of Gemini's; of OpenAI's a piece is a token
IMAGES = 2
WIDE_BYTES = 16 << 10  # nginx's buffers are of a page each
PICTURE_BYTES = 700_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used. `input` holds `cached`, as Google counts; `visible` does not hold `thinking`."""

    input: int = 0
    cached: int = 0
    visible: int = 0
    thinking: int = 0
    images: int = 0


def usage_of(cell: Cell, events: int = EVENTS) -> Usage:
    """What the cell's call has used when so many of its events have been generated."""
    if cell.shape == "imagen":
        return Usage(images=IMAGES if events == EVENTS else 1)
    if cell.shape.startswith("chat"):
        return Usage(input=1000 + cell.number, visible=tokens_an_event(cell) * events)
    return Usage(
        input=2000 + cell.number,
        cached=64 * (cell.number % 3),
        visible=tokens_an_event(cell) * events,
        thinking=50 + cell.number % 7,
    )


def tokens_an_event(cell: Cell) -> int:
    """How many tokens an event brings."""
    return 1 if cell.shape.startswith("chat") else TOKENS_AN_EVENT


def whole(cell: Cell, response_id: str) -> bytes:
    """A unary answer."""
    used = usage_of(cell)
    if cell.shape == "imagen":
        picture = base64.b64encode(bytes(PICTURE_BYTES)).decode()
        answer: Json = {"predictions": [{"bytesBase64Encoded": picture, "mimeType": "image/png"}] * IMAGES}
    elif cell.shape.startswith("chat"):
        message = {"role": "assistant", "content": "word " * used.visible}
        answer = _chat(response_id, "chat.completion", {"message": message, "finish_reason": "stop"})
        answer["usage"] = {
            "prompt_tokens": used.input, "completion_tokens": used.visible, "total_tokens": used.input + used.visible,
        }  # fmt: skip
    else:
        answer = _gemini(cell, response_id, EVENTS, "word " * used.visible)
    return json.dumps(answer).encode()


def event(cell: Cell, response_id: str, number: int) -> bytes:
    """The event `number` (from 1) of a stream; the last one carries what the provider puts behind it."""
    last = number == EVENTS
    if not cell.shape.startswith("chat"):
        width = WIDE_BYTES if cell.is_wide else 0
        return _data(_gemini(cell, response_id, number, "word " * TOKENS_AN_EVENT + "x" * width))
    piece = {"delta": {"content": "word "}, "finish_reason": None}
    sent = _data(_chat(response_id, "chat.completion.chunk", piece))
    if not last:
        return sent
    end = {"delta": {}, "finish_reason": "stop"}
    return sent + _data(_chat(response_id, "chat.completion.chunk", end)) + b"data: [DONE]\n\n"


def _gemini(cell: Cell, response_id: str, events: int, text: str) -> Json:
    used = usage_of(cell, events)
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if events == EVENTS:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate], "modelVersion": MODELS[cell.shape], "responseId": response_id,
        "usageMetadata": {
            "promptTokenCount": used.input, "cachedContentTokenCount": used.cached,
            "candidatesTokenCount": used.visible, "thoughtsTokenCount": used.thinking,
            "totalTokenCount": used.input + used.visible + used.thinking,
        },
    }  # fmt: skip


def _chat(response_id: str, kind: str, choice: Json) -> Json:
    return {
        "id": response_id, "object": kind, "created": 1, "model": MODELS["chat"], "choices": [{"index": 0, **choice}],
    }  # fmt: skip


def _data(told: Json) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"
