"""The client is a guest in the host's process: what it must not break, keep or do in the host's name."""

import asyncio
import contextvars
import gzip
import json
import os
import pickle
import signal
import sys
import tracemalloc
import types
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

import orphaned_inference
from orphaned_inference import aiohttp_hook, calls, cancel_on_abort, deadlines, httpx_hook, urllib3_hook
from orphaned_inference.bodies import facts_of
from orphaned_inference.scanning import Scanner
from tests.client import programs, ways
from tests.client.logs import lines, only, pairs
from tests.client.server import Service

HELD = Path("/proc/self/fd")


class Suspended:
    """Awaited, it waits for ever."""

    def __await__(self) -> Generator[None]:
        yield


class Silent(httpx.AsyncBaseTransport):
    """A server that never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take the request."""
        await Suspended()
        raise AssertionError(request)


def test_coroutine_thrown_away_within_a_call(log: Path) -> None:
    """A loop that is gone leaves coroutines to be closed by whoever finds them, in another context: in silence."""
    client = httpx.AsyncClient(transport=Silent())
    coroutine = client.send(client.build_request("POST", "http://x" + ways.CHAT, json=ways.body("m")))
    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()
    assert only(log).fate == ("aborted", "cancelled")


@pytest.mark.parametrize("kind", [iter, list, tuple])
def test_headers_of_aiohttp_in_any_shape(kind: type, service: Service, log: Path) -> None:
    """Headers that can be read once only still reach the server."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            headers = kind([("authorization", "Bearer k"), ("content-type", "application/json")])
            async with session.post(service.url + ways.CHAT, data=b'{"model": "quick"}', headers=headers) as answer:
                await answer.read()

    asyncio.run(ask())
    assert service.requests[0][2]["authorization"] == "Bearer k"
    assert only(log).started["request_id"] == service.requests[0][2]["x-request-id"]


@pytest.mark.parametrize("name", ["requests", "urllib3", "httpx"])
def test_call_made_while_another_is_sent(name: str, service: Service, log: Path) -> None:
    """A body that is made on the way may take a call itself: two calls, and neither is a retry of the other."""

    def body() -> Iterator[bytes]:
        ways.ask(name, service.url, "quick")
        yield b'{"model": "quick"}'

    if name == "httpx":
        httpx.post(service.url + ways.CHAT, content=body())
    else:
        requests.post(service.url + ways.CHAT, data=body(), timeout=5)
    assert [(call.fate, call.started["retry_of"]) for call in pairs(log)] == [(("delivered", None), None)] * 2


class OddHeaders(Mapping[str, str]):
    """A mapping that cannot be copied."""

    def __getitem__(self, name: str) -> str:
        return {"content-type": "application/json"}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(["content-type"])

    def __len__(self) -> int:
        return 1


def test_headers_of_urllib3_in_any_shape(service: Service, log: Path) -> None:
    """Nor need they be a dict."""
    pool = urllib3.HTTPConnectionPool(service.url.removeprefix("http://"))
    pool.urlopen("POST", ways.CHAT, body=b'{"model": "quick"}', headers=OddHeaders())
    assert only(log).fate == ("delivered", None)
    assert only(log).started["request_id"] == service.requests[0][2]["x-request-id"]


@pytest.mark.parametrize(
    ("name", "hook", "step"),
    [
        ("httpx", httpx_hook, "_begin"), ("requests", urllib3_hook, "_begin"), ("aiohttp", aiohttp_hook, "_begin"),
        ("httpx", httpx_hook, "_answered"), ("requests", urllib3_hook, "_answered"),
        ("aiohttp", aiohttp_hook, "_answered"),
    ],
)  # fmt: skip
def test_what_we_can_follow_no_further_is_not_told_as_left(
    name: str, hook: types.ModuleType, step: str, *, service: Service, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a step of ours fails after the start is on record, no end is: an invented one would be an abort."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(step)

    if step == "_begin":
        monkeypatch.setattr(hook, "_add_id" if name == "httpx" else "_with_id", Broken())
    else:
        monkeypatch.setattr(calls.Call, "received", fail)
        monkeypatch.setattr(calls.Call, "answered", fail)
    ways.ask(name, service.url, "quick")
    assert not calls.OPEN
    assert [line["event"] for line in lines(log)] == ["started"]


class Broken:
    """Nothing can be done with it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def open_below(folder: Path) -> int:
    """How many files of `folder` this process holds open; what else it holds is the test runner's."""
    return sum(os.path.realpath(one).startswith(str(folder)) for one in HELD.iterdir())


def test_watch_again_and_again(tmp_path: Path, log: Path) -> None:
    """A watch that is switched to another log, and waits without a watch, leave no file open."""

    def held_after_calls(count: int) -> int:
        for number in range(count):
            orphaned_inference.watch(log=tmp_path / f"{number}.jsonl")
            call = calls.begin("POST", "http://x" + ways.CHAT, {}.get, None)
            assert call is not None
            call.complete()
        return open_below(tmp_path)

    assert held_after_calls(1) == held_after_calls(9)


def test_wait_without_a_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log that the environment names is opened for each line, and closed."""
    monkeypatch.setenv("ORPHANED_INFERENCE_LOG", str(tmp_path / "log"))
    for _ in range(5):
        with cancel_on_abort("operations/1", cancel=lambda _: None):
            pass
    assert len(lines(tmp_path / "log")) == 10
    assert open_below(tmp_path) == 0


FORKS_IN_A_WAIT = """
import os, signal, sys, openai, orphaned_inference
client = openai.OpenAI(api_key="k", base_url=sys.argv[1] + "/v1")
with orphaned_inference.cancel_on_abort(client.batches.retrieve("batch_1"), cancel=client):
    child = os.fork()
    if child == 0:
        if sys.argv[2] == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        sys.exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("way", "code"), [("signal", "-15"), ("exit", "3")])
def test_forked_child_cancels_no_job_of_its_parents(way: str, code: str, service: Service, tmp_path: Path) -> None:
    """A worker that dies while its parent waits for a job leaves the job alone."""
    script, log = tmp_path / "forks.py", tmp_path / "calls.jsonl"
    script.write_text(FORKS_IN_A_WAIT, encoding="utf-8")
    end = programs.run([str(script), service.url, way], log)
    assert (end.code, end.stdout.strip()) == (0, code)
    assert service.jobs == {"batch_1": "running"}
    assert [line["event"] for line in lines(log)] == ["job_wait_started", "job_wait_ended"]
    assert lines(log)[-1]["outcome"] == "delivered"


def test_deadlines_hold_though_their_mark_cannot_be_left(monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    """A task that cannot be marked is cancelled in time all the same."""
    monkeypatch.setattr(deadlines, "_OVERDUE", Broken())

    async def wait() -> None:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(5)

    async def wait_for() -> None:
        await asyncio.wait_for(asyncio.sleep(5), 0.05)

    for waits in (wait, wait_for):
        with pytest.raises(TimeoutError):
            asyncio.run(waits())


def test_signal_functions_are_pickled_by_their_own_names(log: Path) -> None:
    """`Pool(initializer=signal.signal, ...)` sends the function by name, to a process that need not know us."""
    for function, name in ((signal.signal, "signal"), (signal.getsignal, "getsignal")):
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301 - our own
        assert b"orphaned" not in pickle.dumps(function)
        assert (function.__module__, function.__name__) in {("signal", name), ("_signal", name)}


def test_stream_by_itself(service: Service, log: Path) -> None:
    """What stands in a response can be asked for anything, and made without being filled."""
    with httpx.stream("POST", service.url + ways.CHAT, json=ways.body("quick", stream=True)) as response:
        watched: Any = response.stream._stream  # type: ignore[union-attr]
        empty = object.__new__(type(watched))
        with pytest.raises(AttributeError):
            _ = empty.anything
        del empty
        response.read()
    assert only(log).fate == ("delivered", None)


@pytest.mark.parametrize("kind", [str, bytearray, bytes])
def test_large_bodies_are_not_copied(kind: type) -> None:
    """Looking at thirty megabytes takes neither that memory again nor the time."""
    text = json.dumps({"model": "m", "stream": True, "messages": "x" * (30 << 20), "max_tokens": 4})
    body = text if kind is str else kind(text.encode())
    tracemalloc.start()
    facts = facts_of(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (facts.model, facts.stream, facts.max_output_tokens, facts.request_bytes) == ("m", True, 4, len(text))
    assert peak < 1 << 20


def test_large_body_of_other_letters() -> None:
    """How many bytes a large text becomes is not found out."""
    facts = facts_of(json.dumps({"model": "m", "messages": "\u00e4" * (1 << 20)}, ensure_ascii=False))
    assert (facts.model, facts.request_bytes) == ("m", None)


def test_packed_stream_that_grows_a_hundredfold() -> None:
    """What was packed well is counted to its end, however much of it comes at once."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
    scanner = Scanner("chat", is_stream=True, encoding="gzip", choices=1)
    scanner.feed(gzip.compress(event * 20_000 + b"data: [DONE]\n\n"))
    scanner.end()
    assert (scanner.output_tokens, scanner.whole) == (20_000, True)


def test_outcome_of_a_cancel_is_told_once(log: Path) -> None:
    """However many threads know it at once."""
    from concurrent.futures import ThreadPoolExecutor

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(200):
                guard = cancel_on_abort("operations/1", cancel=lambda _: None)
                list(pool.map(lambda _, guard=guard: guard._write_outcome(), range(8)))
    finally:
        sys.setswitchinterval(before)
    assert len(lines(log)) == 200


LEFT_OPEN = """
import asyncio, gc, os, sys, threading, aiohttp, httpx, requests
url, body = sys.argv[1] + "/v1/chat/completions", {"model": "slow", "stream": True}
class Holder:
    pass
holder = Holder()
holder.itself = holder
client = httpx.Client()
holder.response = client.send(client.build_request("POST", url, json=body), stream=True)
holder.lines = holder.response.iter_lines()
next(holder.lines)
kept = requests.post(url, json=body, stream=True)
async def main():
    session = httpx.AsyncClient()
    holder.soon = await session.send(session.build_request("POST", url, json=body), stream=True)
    holder.soon_lines = holder.soon.aiter_lines()
    await anext(holder.soon_lines)
asyncio.run(main())
threading.Thread(target=lambda: [line for line in kept.iter_lines()], daemon=True).start()
sys.holder = holder
"""


def test_end_of_the_interpreter_with_everything_open(service: Service, tmp_path: Path) -> None:
    """Whatever is torn down in whatever order, nothing of ours is heard of."""
    script, log = tmp_path / "left.py", tmp_path / "calls.jsonl"
    script.write_text(LEFT_OPEN, encoding="utf-8")
    watched, plain = programs.run([str(script), service.url], log), programs.run([str(script), service.url])
    assert (watched.code, watched.stderr) == (plain.code, plain.stderr)
    assert [line["event"] for line in lines(log)].count("ended") == 3
