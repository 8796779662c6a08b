"""The programs whose calls are interrupted: real clients, each used as its documentation says.

In: what to ask of whom, and how it will be left. A stream says after each event how many tokens have come.
Leaving by Ctrl-C, SIGTERM and SIGKILL is done from outside; SIGUSR1 has a task cancelled. Nothing in here
knows that it is watched.
"""

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from tests.lab.cells import MODELS, TIMEOUT_SECONDS, Shape, Way

PATIENCE_SECONDS = 60.0
PROJECT, LOCATION = "acme-prod", "us-central1"


@dataclass(frozen=True, slots=True)
class Ask:
    """One call: to which nginx, in which trace, who hears of its tokens, and after how many events it is closed."""

    shape: Shape
    url: str
    traceparent: str
    say: Callable[[int], None]
    seconds: float = PATIENCE_SECONDS
    take: int | None = None

    @property
    def model(self) -> str:
        """The model asked."""
        return MODELS[self.shape]


def call(ask: Ask, way: Way) -> None:
    """Make the call and wait for it, so that it can be left in that way."""
    if way == "cancelled":
        _until_cancelled(_CALLS_SOON[ask.shape](ask))
    else:
        _CALLS[ask.shape](ask)


def seconds_of(way: Way) -> float:
    """How long a caller waits that is left in that way."""
    return TIMEOUT_SECONDS if way == "timeout" else PATIENCE_SECONDS


def gemini_client(url: str, seconds: float = PATIENCE_SECONDS) -> genai.Client:
    """The Gemini API's client, pointed at nginx."""
    options = types.HttpOptions(base_url=url, timeout=int(seconds * 1000))
    return genai.Client(api_key="key-secret", http_options=options)


def vertex_client(url: str, seconds: float = PATIENCE_SECONDS) -> genai.Client:
    """Vertex AI's, with a project."""
    options = types.HttpOptions(base_url=url, timeout=int(seconds * 1000))
    credentials = Credentials(token="fake")  # type: ignore[no-untyped-call] # noqa: S106 - nobody asks for a real one
    return genai.Client(
        vertexai=True, project=PROJECT, location=LOCATION, credentials=credentials, http_options=options
    )


def _gemini(ask: Ask) -> None:
    with gemini_client(ask.url, ask.seconds) as client:
        client.models.generate_content(model=ask.model, contents="a secret")


def _gemini_stream(ask: Ask) -> None:
    client = gemini_client(ask.url, ask.seconds)
    events: Any = client.models.generate_content_stream(model=ask.model, contents="a secret")
    with closing(events):
        for number, event in enumerate(events, 1):
            ask.say(event.usage_metadata.candidates_token_count)
            if number == ask.take:
                return


def _imagen(ask: Ask) -> None:
    with vertex_client(ask.url, ask.seconds) as client:
        client.models.generate_images(model=ask.model, prompt="a secret")


def _chat(ask: Ask) -> None:
    with httpx.Client(timeout=ask.seconds) as client:
        client.post(**_chat_request(ask)).raise_for_status()


def _chat_stream(ask: Ask) -> None:
    number = 0
    with httpx.Client(timeout=ask.seconds) as client, client.stream("POST", **_chat_request(ask)) as response:
        for line in response.iter_lines():
            if not _is_piece(line):
                continue
            number += 1
            ask.say(number)
            if number == ask.take:
                return


async def _gemini_soon(ask: Ask) -> None:
    async with gemini_client(ask.url).aio as client:
        await client.models.generate_content(model=ask.model, contents="a secret")


async def _gemini_stream_soon(ask: Ask) -> None:
    async with gemini_client(ask.url).aio as client:
        async for event in await client.models.generate_content_stream(model=ask.model, contents="a secret"):
            ask.say((event.usage_metadata and event.usage_metadata.candidates_token_count) or 0)


async def _imagen_soon(ask: Ask) -> None:
    async with vertex_client(ask.url).aio as client:
        await client.models.generate_images(model=ask.model, prompt="a secret")


async def _chat_soon(ask: Ask) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        (await client.post(**_chat_request(ask))).raise_for_status()


async def _chat_stream_soon(ask: Ask) -> None:
    number = 0
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
        client.stream("POST", **_chat_request(ask)) as response,
    ):
        async for line in response.aiter_lines():
            if _is_piece(line):
                number += 1
                ask.say(number)


def _chat_request(ask: Ask) -> dict[str, Any]:
    """As httpx's methods take it. What joins these calls is the trace alone: the backend logs no other id of them."""
    messages = [{"role": "user", "content": "a secret"}]
    body = {"model": ask.model, "messages": messages, "stream": ask.shape == "chat-stream"}
    headers = {"traceparent": ask.traceparent, "authorization": "Bearer key-secret"}
    return {"url": f"{ask.url}/v1/chat/completions", "json": body, "headers": headers}


def _is_piece(line: str) -> bool:
    """Whether a line of a stream holds a piece of text."""
    return line.startswith("data: {") and bool(json.loads(line[6:])["choices"][0]["delta"].get("content"))


def _until_cancelled(work: Coroutine[Any, Any, None]) -> None:
    """Run it as a task; SIGUSR1 cancels it, as a program does whose user has turned away."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, task.cancel)
        await task

    asyncio.run(main())


_CALLS: dict[Shape, Callable[[Ask], None]] = {
    "gemini": _gemini,
    "gemini-stream": _gemini_stream,
    "gemini-wide-stream": _gemini_stream,
    "imagen": _imagen,
    "chat": _chat,
    "chat-stream": _chat_stream,
}
_CALLS_SOON: dict[Shape, Callable[[Ask], Coroutine[Any, Any, None]]] = {
    "gemini": _gemini_soon,
    "gemini-stream": _gemini_stream_soon,
    "gemini-wide-stream": _gemini_stream_soon,
    "imagen": _imagen_soon,
    "chat": _chat_soon,
    "chat-stream": _chat_stream_soon,
}
