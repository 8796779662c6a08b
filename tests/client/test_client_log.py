"""The log: lines that are whole whatever happens to the file, and a host that never notices what does."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3

from orphaned_inference import calls
from orphaned_inference.journal import Journal, instant
from tests.client import programs, ways
from tests.client.logs import lines, only, pairs
from tests.client.server import Service

CALLS = """
import sys, httpx
for _ in range(3):
    print(httpx.post(sys.argv[1] + "/v1/chat/completions", json={"model": "quick"}).status_code)
"""


@pytest.mark.parametrize("name", ["/dev/full", "/proc/nothing/calls.jsonl", "/dev/null/x", "directory", "fifo"])
def test_log_that_cannot_be_written(name: str, service: Service, tmp_path: Path) -> None:
    """A full disk, a place that is not there, a directory, a pipe without a reader: the host's run is as ever."""
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    script = tmp_path / "program.py"
    script.write_text(CALLS, encoding="utf-8")
    watched = programs.run([str(script), service.url], tmp_path / name)
    assert watched == programs.End(0, "200\n200\n200\n", "")


def test_directory_is_made(tmp_path: Path) -> None:
    """The log's directory need not be there."""
    Journal(str(tmp_path / "a" / "b" / "calls.jsonl")).write({"a": 1})
    assert lines(tmp_path / "a" / "b" / "calls.jsonl") == [{"a": 1}]


def test_log_that_vanishes(service: Service, log: Path) -> None:
    """A log that is deleted, or rotated away, is begun again under its name, a moment later."""
    ways.ask("httpx", service.url, "quick")
    log.rename(log.with_suffix(".1"))
    time.sleep(0.03)
    ways.ask("httpx", service.url, "quick")
    assert len(pairs(log)) == len(pairs(log.with_suffix(".1"))) == 1
    log.unlink()
    log.parent.rename(log.parent.with_name("gone"))
    time.sleep(0.03)
    ways.ask("httpx", service.url, "quick")
    assert only(log).fate == ("delivered", None)


def test_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line cut off by a full disk spoils no other: the next begins on a line of its own."""
    journal = Journal(str(tmp_path / "log"))
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    journal.write({"first": 1})
    monkeypatch.undo()
    journal.write({"second": 2})
    assert (tmp_path / "log").read_text(encoding="utf-8").splitlines() == ['{"fir', '{"second":2}']


def test_descriptor_taken_by_the_host(tmp_path: Path) -> None:
    """A host that closes all descriptors and opens a file of its own never finds our lines in it."""
    journal = Journal(str(tmp_path / "log"))
    journal.write({"first": 1})
    assert journal._file is not None
    taken = journal._file.descriptor
    os.close(taken)
    own = os.open(tmp_path / "own", os.O_WRONLY | os.O_CREAT)
    assert own == taken
    journal.write({"second": 2})
    os.write(own, b"mine")
    os.close(own)
    assert (tmp_path / "own").read_bytes() == b"mine"
    assert lines(tmp_path / "log") == [{"first": 1}, {"second": 2}]


def test_rotation_under_many_threads(tmp_path: Path) -> None:
    """While many threads write, the log is rotated: no line is lost or in a file of the host's, no file stays open."""
    path, own = tmp_path / "log", tmp_path / "own"
    journal, is_over = Journal(str(path)), threading.Event()
    counts = [0] * 6

    def write(name: int) -> None:
        while not is_over.is_set():
            journal.write({"name": name, "number": counts[name]})
            counts[name] += 1

    def open_and_close() -> None:
        while not is_over.is_set():
            with own.open("ab"):
                pass

    work = [threading.Thread(target=write, args=(name,)) for name in range(len(counts))]
    work += [threading.Thread(target=open_and_close) for _ in range(2)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for thread in work:
        thread.start()
    for number in range(30):
        time.sleep(0.03)
        while not path.exists():
            time.sleep(0.01)
        path.rename(path.with_name(f"log.{number}"))
    is_over.set()
    for thread in work:
        thread.join()
    found = [(line["name"], line["number"]) for part in tmp_path.glob("log*") for line in lines(part)]
    assert sorted(found) == [(name, number) for name, count in enumerate(counts) for number in range(count)]
    assert own.read_bytes() == b""
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_many_writers(tmp_path: Path) -> None:
    """Lines of many threads and processes, each with a journal of its own, are never mixed."""
    path, threads = tmp_path / "log", 6

    def write(name: int) -> None:
        journal = Journal(str(path))
        for number in range(200):
            journal.write({"name": name, "number": number, "fill": "x" * 300})

    child = os.fork()
    writers = [threading.Thread(target=write, args=(index + (100 if child == 0 else 0),)) for index in range(threads)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert len({(line["name"], line["number"]) for line in lines(path)}) == 2 * threads * 200


def test_instants() -> None:
    """Times are RFC 3339 in UTC with all six digits."""
    assert instant(1_795_338_847_120_554_999) == "2026-11-22T09:14:07.120554Z"
    assert instant(1_000) == "1970-01-01T00:00:00.000001Z"


@pytest.mark.parametrize("broken", ["facts_of", "match", "instant", "process_name"])
@pytest.mark.parametrize("name", ["httpx", "requests", "aiohttp", "openai"])
def test_our_own_errors_stay_ours(
    broken: str, name: str, service: Service, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks in the watch, the host's calls go on."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(broken)

    calls._place.cache_clear()
    monkeypatch.setattr(calls, broken, fail)
    ways.ask(name, service.url, "quick")
    ways.stream(name, service.url, "quick")
    assert len(service.requests) == 2
    assert not calls.OPEN


@pytest.mark.parametrize("said", ["plain", 'a "quoted" \\ model\n', "\u00e4\u20ac\U0001f600", "\ud800"])
def test_lines_are_json(said: str, log: Path) -> None:
    """Lines are put together from pieces; they are what a JSON encoder makes of the same record, to the byte."""
    headers = {"x-request-id": said, "openai-project": said, "x-stainless-retry-count": "2"}
    body = {"model": said, "stream": True, "max_tokens": 7}
    call = calls.begin("POST", "http://x/v1/chat/completions", headers.get, body, retry_of=said)
    assert call is not None
    call.answered(200, lambda _: None)
    call.received(b'data: {"id": "chatcmpl-1", "choices": [{"delta": {"content": "word"}}]}\n')
    call.complete()
    texts = log.read_text(encoding="utf-8").splitlines()
    assert texts == [json.dumps(json.loads(text), separators=(",", ":")) for text in texts]
    started, ended = lines(log)
    assert {started[key] for key in ("model", "request_id", "account", "retry_of")} == {said}
    assert (started["max_output_tokens"], started["retry_count"], started["trace_id"]) == (7, 2, None)
    assert (ended["output_tokens_received"], ended["response_id"], ended["reason"]) == (1, "chatcmpl-1", None)


@pytest.mark.parametrize("value", [b"mine", 5])
def test_headers_that_are_no_text(value: object, service: Service, log: Path) -> None:
    """urllib3 takes header values that are bytes or numbers; such a call is on record too."""
    headers: dict[str, Any] = {"x-request-id": value, "content-type": "application/json"}
    urllib3.PoolManager().request("POST", service.url + ways.CHAT, body=b'{"model": "quick"}', headers=headers)
    assert only(log).started["request_id"] == str(value if isinstance(value, int) else "mine")


def test_keys_and_text_are_kept_out(service: Service, log: Path) -> None:
    """Neither prompt nor key nor answer is in the log, only the contract's keys."""
    for name in ("openai", "anthropic", "genai"):
        ways.ask(name, service.url, "quick")
        ways.stream(name, service.url, "quick")
    text = log.read_text(encoding="utf-8")
    assert "secret" not in text
    assert "Hello" not in text
    known = {
        "event", "call_id", "at", "service", "provider", "account", "model", "operation", "stream", "request_id",
        "trace_id", "span_id", "retry_of", "process", "max_output_tokens", "request_bytes", "retry_count", "outcome",
        "reason", "status_code", "bytes_received", "output_tokens_received", "response_id",
    }  # fmt: skip
    assert {key for line in text.splitlines() for key in json.loads(line)} <= known
