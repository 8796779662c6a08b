"""What the client costs: calls to a loopback server, watched beside unwatched, one by one in turns.

    python benchmarks/client.py [--calls 1000] [--json FILE]

In: nothing. Out: for each library the time of a call without and with the watch, median and 99th percentile, what the
watch added to each, in all and of the processor alone (which a busy machine spoils less), how long our own steps took
within as many calls more, whose steps are timed, and how many bytes more were sent. The unwatched side runs the
library's own function, not a hook that is switched off. The server is a process of its own, so that it does not share
the interpreter's lock.
Exit code 1 where the difference of the medians is above 200 microseconds, or the 99th percentile of our own steps above
a millisecond. The difference of the 99th percentiles is printed beside it and not judged: on a machine that does
anything else it is the scheduler's, and may be below zero.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import httpx
import httpx2
import requests
import urllib3

import orphaned_inference
from orphaned_inference import aiohttp_hook, httpx_hook, urllib3_hook
from orphaned_inference.calls import Call

HOOKS = (aiohttp_hook, httpx_hook, urllib3_hook)
MEDIAN_US_MAX = 200
P99_US_MAX = 1000
WARM_UP = 50
EVENTS = 100
PROMPT = "What is the meaning of all this? " * 120  # some 4 kB, an ordinary call
LARGE = PROMPT * 256  # 1 MB, a long document
UNARY = json.dumps({
    "id": "chatcmpl-1", "choices": [{"message": {"content": "word " * 800}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 900, "completion_tokens": 800},
}).encode()  # fmt: skip
EVENT = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'

Step = Callable[[str, bytes], Any]


class Side(NamedTuple):
    """Seconds of each call of one side, sorted."""

    seconds: list[float]

    def at(self, share: float) -> float:
        """The quantile in microseconds."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))] * 1e6


# The server: a process of its own, one thread a connection.


def serve() -> None:
    """Answer every request at once; the answer's header tells how many bytes the request had."""
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer_all, args=(connection,), daemon=True).start()


def _answer_all(connection: socket.socket) -> None:
    data = b""
    while True:
        head, _, rest = data.partition(b"\r\n\r\n")
        if not rest and b"\r\n\r\n" not in data:
            more = connection.recv(1 << 20)
            if not more:
                return
            data += more
            continue
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        while len(rest) < length:
            rest += connection.recv(1 << 20)
        connection.sendall(_answer(is_stream=b'"stream":true' in rest, request_bytes=len(head) + 4 + length))
        data = rest[length:]


def _answer(*, is_stream: bool, request_bytes: int) -> bytes:
    kind = b"text/event-stream" if is_stream else b"application/json"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nrequest-bytes: %d\r\n" % (kind, request_bytes)
    if not is_stream:
        return head + b"content-length: %d\r\n\r\n%s" % (len(UNARY), UNARY)
    chunks = (b"%x\r\n%s\r\n" % (len(EVENT), EVENT)) * EVENTS
    return head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


# The steps: one call each, giving the count of bytes that the server saw.


def _httpx(module: Any) -> Step:
    client = module.Client()
    headers = {"content-type": "application/json"}

    def step(url: str, body: bytes) -> int:
        with client.stream("POST", url, content=body, headers=headers) as response:
            for _ in response.iter_bytes():
                pass
        return int(response.headers["request-bytes"])

    return step


def _requests() -> Step:
    session = requests.Session()

    def step(url: str, body: bytes) -> int:
        response = session.post(url, data=body, timeout=10)
        return int(response.headers["request-bytes"])

    return step


def _urllib3() -> Step:
    pool = urllib3.PoolManager()

    def step(url: str, body: bytes) -> int:
        return int(pool.request("POST", url, body=body).headers["request-bytes"])

    return step


def _aiohttp() -> Step:
    loop = asyncio.new_event_loop()
    session: list[aiohttp.ClientSession] = []

    async def call(url: str, body: bytes) -> int:
        if not session:
            session.append(aiohttp.ClientSession())
        async with session[0].post(url, data=body) as response:
            await response.read()
            return int(response.headers["request-bytes"])

    def step(url: str, body: bytes) -> int:
        return loop.run_until_complete(call(url, body))

    return step


def places() -> dict[str, tuple[Any, str]]:
    """Where each library is hooked: the class and the name of its function."""
    return {
        "httpx": (httpx.Client, "_send_single_request"),
        "httpx2": (httpx2.Client, "_send_single_request"),
        "requests": (urllib3.HTTPConnectionPool, "urlopen"),
        "urllib3": (urllib3.HTTPConnectionPool, "urlopen"),
        "aiohttp": (aiohttp.ClientSession, "_request"),
    }


def measured(name: str, step: Step, url: str, body: bytes, calls: int) -> dict[str, Any]:
    """Both sides of one library, in turns of random order.

    The class gets one function for all turns: CPython compiles code anew for a class that changes, on either side.
    """
    owner, attribute = places()[name]
    watched = getattr(owner, attribute)
    ways = {"plain": watched.__wrapped__, "watched": watched}
    seconds: dict[str, list[float]] = {side: [] for side in ways}
    busy: dict[str, list[float]] = {side: [] for side in ways}
    request_bytes = dict.fromkeys(ways, 0)
    order, chosen = list(ways), [watched]

    def turned(*args: Any, **kwargs: Any) -> Any:
        return chosen[0](*args, **kwargs)

    setattr(owner, attribute, turned)
    for number in range(calls + WARM_UP):
        random.shuffle(order)
        for side in order:
            chosen[0] = ways[side]
            begun, busy_before = time.perf_counter(), time.thread_time()
            request_bytes[side] = step(url, body)
            if number >= WARM_UP:
                seconds[side].append(time.perf_counter() - begun)
                busy[side].append(time.thread_time() - busy_before)
    setattr(owner, attribute, watched)
    own = own_steps(step, url, body, calls)
    plain_busy, watched_busy = Side(sorted(busy["plain"])), Side(sorted(busy["watched"]))
    return {
        **_row(Side(sorted(seconds["plain"])), Side(sorted(seconds["watched"])), request_bytes),
        "added_cpu_median_us": watched_busy.at(0.5) - plain_busy.at(0.5),
        "added_cpu_p99_us": watched_busy.at(0.99) - plain_busy.at(0.99),
        "own_median_us": Side(sorted(own)).at(0.5),
        "own_p99_us": Side(sorted(own)).at(0.99),
    }


def own_steps(step: Step, url: str, body: bytes, calls: int) -> list[float]:
    """Seconds of our own steps in each of so many calls more, which have their steps timed."""
    own = []
    with _timed_steps() as spent:
        for _ in range(calls):
            spent.clear()
            step(url, body)
            own.append(sum(spent))
    return own


@contextmanager
def _timed_steps() -> Iterator[list[float]]:
    """Within a call: the seconds that each of our steps takes; the timers count among them."""
    spent: list[float] = []
    depth = [0]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            depth[0] += 1
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                depth[0] -= 1
                if not depth[0]:  # a step within a step is counted with it
                    spent.append(time.perf_counter() - begun)

        return step

    places = [(module, name) for module in HOOKS for name in ("_begin", "_answered")]
    places += [(Call, name) for name in ("received", "scan", "complete", "closed")]
    before = [getattr(owner, name) for owner, name in places]
    for (owner, name), function in zip(places, before, strict=True):
        setattr(owner, name, timed(function))
    try:
        yield spent
    finally:
        for (owner, name), function in zip(places, before, strict=True):
            setattr(owner, name, function)


def _row(plain: Side, watched: Side, request_bytes: dict[str, int]) -> dict[str, Any]:
    return {
        "plain_median_us": plain.at(0.5), "watched_median_us": watched.at(0.5),
        "plain_p99_us": plain.at(0.99), "watched_p99_us": watched.at(0.99),
        "added_median_us": watched.at(0.5) - plain.at(0.5), "added_p99_us": watched.at(0.99) - plain.at(0.99),
        "added_bytes": request_bytes["watched"] - request_bytes["plain"],
    }  # fmt: skip


def body_of(prompt: str, *, stream: bool) -> bytes:
    """A chat request."""
    said: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}], "model": "m", "stream": stream}
    return json.dumps(said, separators=(",", ":")).encode()


def own_cost(calls: int) -> dict[str, float]:
    """The client's own steps without any network: microseconds a call, median and 99th percentile."""
    from orphaned_inference.calls import begin

    body, seconds = body_of(PROMPT, stream=False), []
    headers = {"content-type": "application/json", "host": "api.openai.com"}
    for _ in range(calls):
        begun = time.perf_counter()
        call = begin("POST", "https://api.openai.com/v1/chat/completions", headers.get, body)
        if call is not None:
            call.answered(200, headers.get)
            call.received(UNARY)
            call.complete()
        seconds.append(time.perf_counter() - begun)
    side = Side(sorted(seconds))
    return {
        "median_us": side.at(0.5),
        "p99_us": side.at(0.99),
        "worst_us": side.at(1.0),
        "mean_us": statistics.fmean(seconds) * 1e6,
    }


def table(url: str, calls: int) -> dict[str, dict[str, Any]]:
    """Every case."""
    small, stream, large = body_of(PROMPT, stream=False), body_of(PROMPT, stream=True), body_of(LARGE, stream=False)
    steps: dict[str, Callable[[], Step]] = {
        "httpx": lambda: _httpx(httpx), "httpx2": lambda: _httpx(httpx2), "requests": _requests,
        "urllib3": _urllib3, "aiohttp": _aiohttp,
    }  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    for name, make in steps.items():
        found[f"{name} unary"] = measured(name, make(), url, small, calls)
    found[f"httpx stream of {EVENTS}"] = measured("httpx", _httpx(httpx), url, stream, calls)
    found["httpx unary 1 MB"] = measured("httpx", _httpx(httpx), url, large, max(100, calls // 5))
    return found


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    with tempfile.TemporaryDirectory() as directory:
        orphaned_inference.watch(log=Path(directory) / "calls.jsonl", service="bench")
        server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline()) if server.stdout else 0
            found = table(f"http://127.0.0.1:{port}/v1/chat/completions", options.calls)
        finally:
            server.kill()
            server.wait()
        own = own_cost(options.calls * 5)
    return report(found, own, options.json)


def report(found: dict[str, dict[str, Any]], own: dict[str, float], path: Path | None) -> int:
    """Print the table; 1 where a target is missed."""
    print(f"{'':24}{'median us':>22}{'p99 us':>24}{'added us':>20}{'added CPU us':>20}{'own steps us':>20}{'added':>8}")
    print(
        f"{'':24}{'plain':>11}{'watched':>11}{'plain':>13}{'watched':>11}"
        f"{'median':>11}{'p99':>9}{'median':>11}{'p99':>9}{'median':>11}{'p99':>9}{'bytes':>8}"
    )
    for name, row in found.items():
        cells = [row[key] for key in ("plain_median_us", "watched_median_us", "plain_p99_us", "watched_p99_us")]
        cells += [row[f"added_{key}_us"] for key in ("median", "p99", "cpu_median", "cpu_p99")]
        cells += [row["own_median_us"], row["own_p99_us"]]
        widths = (11, 11, 13, 11, 11, 9, 11, 9, 11, 9)
        print(f"{name:24}" + "".join(f"{cell:{width}.0f}" for cell, width in zip(cells, widths, strict=True))
              + f"{row['added_bytes']:>8}")  # fmt: skip
    print("own steps without a network, us:", ", ".join(f"{key[:-3]} {value:.0f}" for key, value in own.items()))
    if path is not None:
        path.write_text(json.dumps({"calls": found, "own": own}, indent=2) + "\n", encoding="utf-8")
    missed = [
        name for name, row in found.items()
        if row["added_median_us"] > MEDIAN_US_MAX or row["own_p99_us"] > P99_US_MAX
    ]  # fmt: skip
    if missed or own["p99_us"] > P99_US_MAX:
        print("above the targets:", ", ".join(missed) or "own steps")
    return int(bool(missed) or own["p99_us"] > P99_US_MAX)


if __name__ == "__main__":
    sys.exit(main())
