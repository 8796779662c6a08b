"""The ways in which programs call: a library or an SDK, plain or asynchronous, each by the same few words.

`ask` makes one unary call, `stream` one streamed call of which `take` events are read before it is closed (None: to its
end). Whatever they raise is the library's own. Shapes differ, what is asked for does not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import requests
import urllib3
from google import genai
from google.genai import types

CHAT = "/v1/chat/completions"
WAIT_SECONDS = 5.0


class Way(NamedTuple):
    """How one library is used. `ask(url, model, seconds)`, `stream(url, model, take)`."""

    ask: Callable[[str, str, float], Any]
    stream: Callable[[str, str, int | None], Any]


def body(model: str, *, stream: bool = False) -> dict[str, Any]:
    """A chat request."""
    return {"messages": [{"role": "user", "content": "secret"}], "model": model, "stream": stream}


def _taken(events: Iterable[Any], take: int | None) -> None:
    for number, _ in enumerate(events, 1):
        if number == take:
            return


async def _taken_soon(events: AsyncIterator[Any], take: int | None) -> None:
    number = 0
    async for _ in events:
        number += 1
        if number == take:
            return


def _data_lines(received: Iterable[str | bytes]) -> Iterator[str | bytes]:
    return (line for line in received if line[:1] in {"d", b"d"})


async def _data_lines_soon(received: AsyncIterator[str | bytes]) -> AsyncIterator[str | bytes]:
    async for line in received:
        if line[:1] in {"d", b"d"}:
            yield line


def _httpx(module: Any) -> Way:
    def ask(url: str, model: str, seconds: float) -> None:
        with module.Client(timeout=seconds) as client:
            client.post(url + CHAT, json=body(model)).raise_for_status()

    def stream(url: str, model: str, take: int | None) -> None:
        with module.Client() as client, client.stream("POST", url + CHAT, json=body(model, stream=True)) as response:
            _taken(_data_lines(response.iter_lines()), take)

    return Way(ask, stream)


def _httpx_async(module: Any) -> Way:
    async def ask(url: str, model: str, seconds: float) -> None:
        async with module.AsyncClient(timeout=seconds) as client:
            (await client.post(url + CHAT, json=body(model))).raise_for_status()

    async def stream(url: str, model: str, take: int | None) -> None:
        content = body(model, stream=True)
        async with module.AsyncClient() as client, client.stream("POST", url + CHAT, json=content) as response:
            await _taken_soon(_data_lines_soon(response.aiter_lines()), take)

    return Way(ask, stream)


def _requests() -> Way:
    def ask(url: str, model: str, seconds: float) -> None:
        requests.post(url + CHAT, json=body(model), timeout=seconds).raise_for_status()

    def stream(url: str, model: str, take: int | None) -> None:
        with requests.post(url + CHAT, json=body(model, stream=True), stream=True, timeout=WAIT_SECONDS) as response:
            _taken(_data_lines(response.iter_lines(chunk_size=1)), take)

    return Way(ask, stream)


def _urllib3() -> Way:
    def ask(url: str, model: str, seconds: float) -> None:
        pool = urllib3.PoolManager()
        response = pool.request("POST", url + CHAT, json=body(model), timeout=seconds, retries=False)
        assert response.status < 400, response.status

    def stream(url: str, model: str, take: int | None) -> None:
        pool = urllib3.PoolManager()
        content = json.dumps(body(model, stream=True))
        with closing(pool.request("POST", url + CHAT, body=content, preload_content=False, retries=False)) as response:
            _taken(response.stream(), take)

    return Way(ask, stream)


def _aiohttp() -> Way:
    async def ask(url: str, model: str, seconds: float) -> None:
        limit = aiohttp.ClientTimeout(total=seconds)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(url + CHAT, json=body(model)) as response,
        ):
            await response.json()
            response.raise_for_status()

    async def stream(url: str, model: str, take: int | None) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url + CHAT, json=body(model, stream=True)) as response,
        ):
            await _taken_soon(_data_lines_soon(aiter(response.content)), take)

    return Way(ask, stream)


def genai_client(url: str, seconds: float = WAIT_SECONDS, *, vertex: bool = False) -> genai.Client:
    """A client of Google's, without retries."""
    options = types.HttpOptions(base_url=url, timeout=int(seconds * 1000))
    return genai.Client(vertexai=vertex, api_key="key-secret", http_options=options)


def _genai() -> Way:
    def ask(url: str, model: str, seconds: float) -> None:
        with genai_client(url, seconds) as client:
            client.models.generate_content(model=model, contents="secret")

    def stream(url: str, model: str, take: int | None) -> None:
        client = genai_client(url)
        events: Any = client.models.generate_content_stream(model=model, contents="secret")
        with closing(events):
            _taken(events, take)

    return Way(ask, stream)


def _genai_images() -> Way:
    def ask(url: str, model: str, seconds: float) -> None:
        with genai_client(url, seconds, vertex=True) as client:
            client.models.generate_images(model=model, prompt="secret")

    return Way(ask, _genai().stream)


def _genai_async() -> Way:
    async def ask(url: str, model: str, seconds: float) -> None:
        async with genai_client(url, seconds).aio as client:
            await client.models.generate_content(model=model, contents="secret")

    async def stream(url: str, model: str, take: int | None) -> None:
        async with genai_client(url).aio as client:
            events = await client.models.generate_content_stream(model=model, contents="secret")
            await _taken_soon(events, take)
            await events.aclose()  # type: ignore[attr-defined]

    return Way(ask, stream)


def _openai() -> Way:
    def client(url: str, seconds: float) -> openai.OpenAI:
        return openai.OpenAI(api_key="key-secret", base_url=url + "/v1", timeout=seconds, max_retries=0)

    def ask(url: str, model: str, seconds: float) -> None:
        client(url, seconds).chat.completions.create(model=model, messages=[])

    def stream(url: str, model: str, take: int | None) -> None:
        with client(url, WAIT_SECONDS).chat.completions.create(model=model, messages=[], stream=True) as events:
            _taken(events, take)

    return Way(ask, stream)


def _openai_responses() -> Way:
    def client(url: str, seconds: float) -> openai.OpenAI:
        return openai.OpenAI(api_key="key-secret", base_url=url + "/v1", timeout=seconds, max_retries=0)

    def ask(url: str, model: str, seconds: float) -> None:
        client(url, seconds).responses.create(model=model, input="secret")

    def stream(url: str, model: str, take: int | None) -> None:
        with client(url, WAIT_SECONDS).responses.create(model=model, input="secret", stream=True) as events:
            _taken(events, take)

    return Way(ask, stream)


def _openai_async() -> Way:
    def client(url: str, seconds: float) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(api_key="key-secret", base_url=url + "/v1", timeout=seconds, max_retries=0)

    async def ask(url: str, model: str, seconds: float) -> None:
        async with client(url, seconds) as api:
            await api.chat.completions.create(model=model, messages=[])

    async def stream(url: str, model: str, take: int | None) -> None:
        async with (
            client(url, WAIT_SECONDS) as api,
            await api.chat.completions.create(model=model, messages=[], stream=True) as events,
        ):
            await _taken_soon(aiter(events), take)

    return Way(ask, stream)


def _anthropic() -> Way:
    def client(url: str, seconds: float) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key="key-secret", base_url=url, timeout=seconds, max_retries=0)

    def ask(url: str, model: str, seconds: float) -> None:
        client(url, seconds).messages.create(model=model, messages=[], max_tokens=9)

    def stream(url: str, model: str, take: int | None) -> None:
        with client(url, WAIT_SECONDS).messages.create(model=model, messages=[], max_tokens=9, stream=True) as events:
            _taken(events, take)

    return Way(ask, stream)


def _anthropic_async() -> Way:
    def client(url: str, seconds: float) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(api_key="key-secret", base_url=url, timeout=seconds, max_retries=0)

    async def ask(url: str, model: str, seconds: float) -> None:
        async with client(url, seconds) as api:
            await api.messages.create(model=model, messages=[], max_tokens=9)

    async def stream(url: str, model: str, take: int | None) -> None:
        async with (
            client(url, WAIT_SECONDS) as api,
            await api.messages.create(model=model, messages=[], max_tokens=9, stream=True) as events,
        ):
            await _taken_soon(aiter(events), take)

    return Way(ask, stream)


ASYNC: dict[str, Way] = {
    "aiohttp": _aiohttp(),
    "anthropic-async": _anthropic_async(),
    "genai-async": _genai_async(),
    "httpx-async": _httpx_async(httpx),
    "httpx2-async": _httpx_async(httpx2),
    "openai-async": _openai_async(),
}
SYNC: dict[str, Way] = {
    "anthropic": _anthropic(),
    "genai": _genai(),
    "genai-images": _genai_images(),
    "httpx": _httpx(httpx),
    "httpx2": _httpx(httpx2),
    "openai": _openai(),
    "openai-responses": _openai_responses(),
    "requests": _requests(),
    "urllib3": _urllib3(),
}
NAMES = sorted([*ASYNC, *SYNC])


def ask(name: str, url: str, model: str, *, seconds: float = WAIT_SECONDS) -> None:
    """One unary call."""
    if name in SYNC:
        SYNC[name].ask(url, model, seconds)
    else:
        asyncio.run(ASYNC[name].ask(url, model, seconds))


def stream(name: str, url: str, model: str, *, take: int | None = None) -> None:
    """One streamed call."""
    if name in SYNC:
        SYNC[name].stream(url, model, take)
    else:
        asyncio.run(ASYNC[name].stream(url, model, take))
