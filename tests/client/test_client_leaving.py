"""How a process goes while it waits: the log says so, and the process ends as it would have without a watch."""

import signal
from pathlib import Path

import pytest

from tests.client import programs
from tests.client.logs import only, pairs
from tests.client.server import Service

SYNC = """
import sys, httpx
httpx.post(sys.argv[1] + "/v1/chat/completions", json={"model": "hang"}, timeout=20)
"""
STREAM = """
import sys, httpx
with httpx.stream("POST", sys.argv[1] + "/v1/chat/completions", json={"model": "slow", "stream": True}) as response:
    for line in response.iter_lines():
        print(line)
"""
REQUESTS = """
import sys, requests
answer = requests.post(sys.argv[1] + "/v1/chat/completions", json={"model": "slow", "stream": True}, stream=True)
for line in answer.iter_lines(chunk_size=1):
    print(line)
"""
ASYNC = """
import asyncio, sys, httpx
async def main():
    async with httpx.AsyncClient(timeout=20) as client:
        await client.post(sys.argv[1] + "/v1/chat/completions", json={"model": "hang"})
asyncio.run(main())
"""
AIOHTTP = """
import asyncio, sys, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        body = {"model": "hang-midway", "stream": True}
        async with session.post(sys.argv[1] + "/v1/chat/completions", json=body) as answer:
            await answer.read()
asyncio.run(main())
"""
THREAD = """
import sys, threading, time, httpx
def call():
    httpx.post(sys.argv[1] + "/v1/chat/completions", json={"model": "hang"}, timeout=20)
threading.Thread(target=call, daemon=True).start()
time.sleep(20)
"""
IMAGES = """
import sys
from google import genai
client = genai.Client(vertexai=True, api_key="k", http_options={"base_url": sys.argv[1]})
client.models.generate_images(model="hang", prompt="a cat")
"""
HANDLER = """
import signal, sys, httpx
def stop(number, frame):
    print("stopping", number, frame is not None)
    sys.exit(7)
assert signal.signal(signal.SIGTERM, stop) is signal.SIG_DFL
assert signal.getsignal(signal.SIGTERM) is stop
httpx.post(sys.argv[1] + "/v1/chat/completions", json={"model": "hang"}, timeout=20)
"""
DRAIN = """
import asyncio, signal, sys, httpx
async def main():
    async with httpx.AsyncClient(timeout=20) as client:
        task = asyncio.create_task(client.post(sys.argv[1] + "/v1/chat/completions", json={"model": "hang"}))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            print("drained")
asyncio.run(main())
"""
IGNORED = """
import signal, sys, httpx
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(httpx.post(sys.argv[1] + "/v1/chat/completions", json={"model": "hang"}, timeout=0.5))
"""
CAUGHT = """
import sys, httpx
try:
    httpx.post(sys.argv[1] + "/v1/chat/completions", json={"model": "hang"}, timeout=20)
except KeyboardInterrupt:
    print("caught")
"""
SWALLOWED = """
import sys, time, httpx
def build():
    try:
        open(sys.argv[2], "w").close()
        time.sleep(20)
    except KeyboardInterrupt:
        pass
body = {"model": "slow", "stream": True}
with httpx.stream("POST", sys.argv[1] + "/v1/chat/completions", json=body) as response:
    next(response.iter_lines())
    build()
    raise ValueError("a library made this of it, without a context")
"""
EXITS = SWALLOWED.replace('raise ValueError("a library made this of it, without a context")', "sys.exit(3)")
SCRIPTS = {
    "swallowed": SWALLOWED, "exits": EXITS,
    "sync": SYNC, "stream": STREAM, "requests": REQUESTS, "async": ASYNC, "aiohttp": AIOHTTP, "thread": THREAD,
    "images": IMAGES, "handler": HANDLER, "drain": DRAIN, "caught": CAUGHT, "ignored": IGNORED,
}  # fmt: skip

INTERRUPT = ("aborted", "interrupt")
CELLS = [
    ("sync", signal.SIGINT, INTERRUPT),
    ("sync", signal.SIGTERM, INTERRUPT),
    ("sync", signal.SIGHUP, INTERRUPT),
    ("sync", signal.SIGKILL, (None, None)),
    ("stream", signal.SIGINT, INTERRUPT),
    ("stream", signal.SIGTERM, INTERRUPT),
    ("requests", signal.SIGINT, INTERRUPT),
    ("requests", signal.SIGTERM, INTERRUPT),
    ("async", signal.SIGINT, INTERRUPT),
    ("async", signal.SIGTERM, INTERRUPT),
    ("aiohttp", signal.SIGINT, INTERRUPT),
    ("thread", signal.SIGINT, INTERRUPT),
    ("thread", signal.SIGTERM, INTERRUPT),
    ("images", signal.SIGINT, INTERRUPT),
    ("handler", signal.SIGTERM, INTERRUPT),
    ("drain", signal.SIGTERM, INTERRUPT),
    ("caught", signal.SIGINT, INTERRUPT),
    ("swallowed", signal.SIGINT, INTERRUPT),
    ("exits", signal.SIGINT, INTERRUPT),
    ("ignored", signal.SIGTERM, ("aborted", "timeout")),
]


@pytest.fixture
def script(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The script of the cell, on disk."""
    path = tmp_path / "program.py"
    path.write_text(SCRIPTS[request.param], encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("script", "how", "fate"), CELLS, indirect=["script"], ids=[f"{name}-{how.name}" for name, how, _ in CELLS]
)
def test_left(
    script: Path, how: signal.Signals, fate: tuple[str | None, str | None], service: Service, tmp_path: Path
) -> None:
    """The log has the reason, and exit code, output and exception are those of an unwatched run."""
    log, text = tmp_path / "calls.jsonl", script.read_text(encoding="utf-8")
    pause = 0.3 if "slow" in text or "midway" in text else 0.1
    ready = [tmp_path / name if "argv[2]" in text else None for name in ("one", "other")]
    watched = programs.left(script, service, how, log, pause=pause, ready=ready[0])
    plain = programs.left(script, service, how, None, pause=pause, ready=ready[1])
    assert only(log).fate == fate
    assert watched.code == plain.code
    assert watched.last_words == plain.last_words
    assert "orphaned_inference/leaving.py" not in watched.stderr  # no frame of ours stands over the interrupt
    if pause < 0.2:  # else it prints as many lines as there was time for
        assert watched.stdout == plain.stdout


@pytest.mark.parametrize("script", ["sync"], indirect=True)
def test_death_by_signal(script: Path, service: Service, tmp_path: Path) -> None:
    """A process that SIGTERM kills still dies by SIGTERM, and one that Ctrl-C ends by SIGINT."""
    for how in (signal.SIGTERM, signal.SIGINT):
        assert programs.left(script, service, how, tmp_path / "calls.jsonl").code == -how
    assert [call.fate for call in pairs(tmp_path / "calls.jsonl")] == [INTERRUPT, INTERRUPT]


FORKS = """
import os, sys, time, httpx
client = httpx.Client(timeout=20)
with client.stream("POST", sys.argv[1] + "/v1/chat/completions", json={"model": "slow", "stream": True}) as response:
    lines = response.iter_lines()
    next(lines)
    child = os.fork()
    if child == 0:
        httpx.post(sys.argv[1] + "/v1/chat/completions", json={"model": "quick"})
        response.stream.close()
        sys.exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    for line in lines:
        pass
"""


def test_fork(service: Service, tmp_path: Path) -> None:
    """A forked child logs its own calls under its own process, and does not end its parent's."""
    script, log = tmp_path / "forks.py", tmp_path / "calls.jsonl"
    script.write_text(FORKS, encoding="utf-8")
    end = programs.run([str(script), service.url], log)
    assert (end.code, end.stdout) == (0, "3\n")
    found = pairs(log)
    assert [call.fate for call in found] == [("delivered", None)] * 2
    assert found[0].started["process"] != found[1].started["process"]


KILLED_CHILD = """
import multiprocessing, os, sys, time, httpx
def call(url):
    httpx.post(url + "/v1/chat/completions", json={"model": "hang"}, timeout=20)
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[2])
    child = multiprocessing.Process(target=call, args=(sys.argv[1],))
    child.start()
    while not os.path.exists(sys.argv[3]):
        time.sleep(0.02)
    child.terminate()
    child.join()
    print(child.exitcode)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_terminated_child(method: str, service: Service, tmp_path: Path) -> None:
    """A child of multiprocessing that is terminated dies by SIGTERM, and its call was interrupted."""
    script, log = tmp_path / "child.py", tmp_path / "calls.jsonl"
    script.write_text(KILLED_CHILD, encoding="utf-8")
    asked = tmp_path / "asked"
    process = programs.launch(programs.command([str(script), service.url, method, str(asked)], log))
    service.wait_for_request()
    asked.touch()
    end = programs.finish(process)
    assert (end.code, end.stdout) == (0, "-15\n")
    assert only(log).fate == INTERRUPT


AT_EXIT = """
import sys, httpx
client = httpx.Client()
request = client.build_request("POST", sys.argv[1] + "/v1/chat/completions", json={"model": "slow", "stream": True})
response = client.send(request, stream=True)
raise SystemExit(5)
"""


def test_exit_with_an_open_stream(service: Service, tmp_path: Path) -> None:
    """A program that ends and leaves a response open has left that call, of its own will."""
    script, log = tmp_path / "exits.py", tmp_path / "calls.jsonl"
    script.write_text(AT_EXIT, encoding="utf-8")
    assert programs.run([str(script), service.url], log).code == 5
    assert only(log).fate == ("aborted", "cancelled")
