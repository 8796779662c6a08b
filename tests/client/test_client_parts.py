"""The parts by themselves: routes, bodies, answers, reasons."""

import asyncio
import gzip
import importlib
import inspect
import json
import os
import random
import signal
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

import orphaned_inference
from collector.sources import routes as collector_routes
from orphaned_inference import leaving, routes
from orphaned_inference.bodies import Facts, facts_of
from orphaned_inference.importing import follow
from orphaned_inference.reasons import CANCELLED, FAILED, INTERRUPT, TIMEOUT, Ending, closing_of, ending_of
from orphaned_inference.scanning import Scanner
from tests.client.server import PIECES, events


def test_routes_are_the_collectors() -> None:
    """Client and collector go by one table: the files are the same to the byte."""
    assert Path(routes.__file__).read_bytes() == Path(collector_routes.__file__).read_bytes()


def test_public_names() -> None:
    """The package offers three names, and no other."""
    assert sorted(orphaned_inference.__all__) == ["Route", "cancel_on_abort", "watch"]
    with pytest.raises(AttributeError, match="no attribute 'wach'"):
        _ = orphaned_inference.wach


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (b'{"model": "m", "stream": true, "max_tokens": 5}', Facts("m", True, False, 5, 1, 47)),
        ('{"model":"m","n":3}', Facts("m", None, False, None, 3, 19)),
        ({"model": "m", "background": True}, Facts("m", None, True, None, 1, None)),
        (b'{"generationConfig":{"maxOutputTokens":7,"candidateCount":2}}', Facts(None, None, False, 7, 2, 61)),
        (b'{"model": {"a": 1}, "stream": "yes", "max_tokens": -1, "n": "x"}', Facts(request_bytes=64)),
        (b"no json", Facts(request_bytes=7)),
        (b"[1]", Facts(request_bytes=3)),
        (b"", Facts(request_bytes=0)),
        (iter([b"x"]), Facts()),
        (None, Facts()),
    ],
)
def test_facts_of_bodies(body: object, facts: Facts) -> None:
    """What a body says, of whatever kind it is; what it does not say stays open."""
    assert facts_of(body) == facts


def test_facts_of_a_large_body() -> None:
    """In a large body the members near its ends are found, and what a prompt quotes is not taken for one."""
    prompt = 'say "model": "wrong", please, {"model": "wrong"} ' * 9000
    late = json.dumps({"messages": [{"content": prompt}], "model": "m", "stream": True, "max_tokens": 4}).encode()
    early = json.dumps({"model": "m", "max_tokens": 4, "stream": True, "messages": [{"content": prompt}]}).encode()
    assert facts_of(late) == facts_of(early)._replace(request_bytes=len(late))
    assert facts_of(late)[:4] == ("m", True, False, 4)


@pytest.mark.parametrize("prompt", ["x" * 300_000, '"' * 150_000, "said \\n " * 40_000, "Grüße € " * 40_000])
def test_facts_around_a_long_text(prompt: str) -> None:
    """A picture, a text full of quotes or without any, characters cut in two: the members around it are found."""
    for is_ascii in (True, False):
        messages = [{"role": "user", "content": prompt}]
        late = json.dumps({"n": 2, "messages": messages, "model": "m", "stream": True}, ensure_ascii=is_ascii)
        for body in (late, late.encode(), bytearray(late.encode())):
            assert facts_of(body)[:5] == ("m", True, False, None, 2)
        spaced = json.dumps({"model": "m", "max_tokens": 4, "messages": messages, "n": None}, indent=3)
        assert facts_of(spaced)[:5] == ("m", None, False, 4, 1)


def test_odd_members_of_a_large_body() -> None:
    """What no JSON parser would take in a large body stops nothing, and no member is put together from both ends."""
    long = b'"' + b"x" * 200_000 + b'"'
    assert facts_of(b'{"model":"\xff\n","n":007,"a":' + long + b"}")[:5] == ("\ufffd\n", None, False, None, 7)
    half = b'{"model":"m", "messages":' + b" " * 8163 + b',"model":"wrong' + b"x" * 200_000 + b'","stream":true}'
    assert facts_of(half)[:2] == ("m", True)


def test_model_in_a_form() -> None:
    """Pictures are sent as a form; its field tells the model."""
    form = (
        b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nsecret\r\n'
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1\r\n--x--\r\n'
    )
    assert facts_of(form).model == "gpt-image-1"


PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1beta/models/m:streamGenerateContent"]


def scanned(path: str, data: bytes, size: int, encoding: str = "") -> Scanner:
    """The scanner after `data` came in pieces of `size` bytes."""
    found = routes.match(path, ())
    assert found is not None
    scanner = Scanner(found.operation, is_stream=True, encoding=encoding, choices=1)
    for start in range(0, len(data), size):
        scanner.feed(data[start : start + size])
    scanner.end()
    return scanner


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_streams_in_any_pieces(path: str, size: int) -> None:
    """However the bytes are cut, the tokens, the id and the end are found."""
    scanner = scanned(path, b"".join(events(path)), size)
    assert scanner.output_tokens == PIECES
    assert scanner.whole
    assert not scanner.failed
    assert scanner.response_id in {"chatcmpl-1", "msg_1", "resp_1", "gem-1"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [100, 16 << 10, 1 << 20])
def test_long_streams(path: str, size: int) -> None:
    """In a stream of half a megabyte too, however it is cut: the id at its start, every piece, and the end."""
    short = events(path)
    more = (200 << 10) // len(short[2])
    said = [*short[:2], *[short[2]] * more, *short[2:]]
    scanner = scanned(path, b"".join(said), size)
    counts = path == "/v1/chat/completions"  # its pieces; the others say how many tokens it were
    assert scanner.output_tokens == (PIECES + more if counts else PIECES)
    assert (scanner.whole, scanner.failed) == (True, False)
    assert scanner.response_id in {"chatcmpl-1", "msg_1", "resp_1", "gem-1"}
    left = scanned(path, b"".join(said[:-2]), size)
    assert not left.whole
    failed = scanned(path, b"".join([*said[:-2], b'data: {"error": {"message": "x"}}\n\n']), size)
    assert (failed.whole, failed.failed) == (False, True)


def said_by(kind: str, rng: random.Random) -> dict[str, Any]:
    """What one event adds to the answer, in the ways of several providers; now and then nothing."""
    word = rng.choice(["w", " word", 'say "content":"x" \\n\n', "error", "[DONE]", ""])
    if kind == "tool":
        return {"tool_calls": [{"index": 0, "function": {"arguments": word}}]}
    if kind == "parts":
        return {"content": [{"type": "text", "text": word}]}
    if kind == "thought":
        return {"content": None, "reasoning_content": word}
    return {"content": word} if kind == "plain" else {}


def texts_in(said: object) -> int:
    """How many pieces of text are in it, by its meaning."""
    if isinstance(said, list):
        return sum(map(texts_in, said))
    if not isinstance(said, dict):
        return 0
    keys = ("content", "text", "arguments", "reasoning_content")
    return sum(
        (key in keys and isinstance(value, str) and value != "") + texts_in(value) for key, value in said.items()
    )


@pytest.mark.parametrize("seed", range(60))
def test_pieces_are_counted_as_if_parsed(seed: int) -> None:
    """Pieces are counted by their letters; a parser finds as many, whatever follows what and however it is written."""
    rng = random.Random(seed)
    blanks, end, size = (
        rng.choice([None, (",", ":")]),
        rng.choice(["\n\n", "\r\n\r\n"]),
        rng.choice([100, 5000, 1 << 20]),
    )
    kinds = rng.choices(["tool", "parts", "thought", "plain", "plain", "none"], k=5)
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [said_by(kind, rng) for kind in kinds for _ in range(rng.randint(0, 80))]
    events = [json.dumps({"choices": [{"index": 0, "delta": delta}]}, separators=blanks) for delta in deltas]
    text = ": ping" + end + "".join(f"data: {event}{end}" for event in events)
    scanner = scanned(PATHS[0], text.encode(), size)
    assert (scanner.output_tokens or 0) == texts_in(deltas)


def test_a_large_last_event() -> None:
    """OpenAI's responses end with an event that repeats the whole answer: its type stands first, its usage last."""
    *said, last = events("/v1/responses")
    large = last.replace(b'"output"', b'"padding": "%s", "output"' % (b"x" * 40_000))
    assert len(large) > len(last)
    scanner = scanned("/v1/responses", b"".join([*said, large]), 1 << 20)
    assert (scanner.output_tokens, scanner.whole) == (PIECES, True)


def test_words_of_other_streams_in_a_text() -> None:
    """A chat may speak of other providers' events, in its first words too: its pieces are counted all the same."""
    said = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("message_start", "response.", "x")]
    text = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in said)
    for size in (10, 1000):
        scanner = scanned(PATHS[0], text + b"data: [DONE]\n\n", size)
        assert (scanner.output_tokens, scanner.whole, scanner.failed) == (len(said), True, False)


@pytest.mark.parametrize("size", [11, 1 << 20])
def test_last_count_of_many(size: int) -> None:
    """Of a provider that counts as it goes the last count stands, though later lines have the word without one."""
    lines = [b'data: {"usage":{"completion_tokens":%d}}\n\n' % count for count in range(1, 40)]
    lines += [b'data: {"usage":{"completion_tokens":null}}\n\n', b'data: {"usage":{"prompt_tokens":5}}\n\n']
    assert scanned(PATHS[0], b"".join(lines), size).output_tokens == 39
    google = [b'data: {"usageMetadata":{"candidatesTokenCount":%d}}\r\n\r\n' % count for count in range(1, 40)]
    assert scanned(PATHS[3], b"".join(google), size).output_tokens == 39


@pytest.mark.parametrize("between", [0, 900, 5000])
@pytest.mark.parametrize("text", ["", "x" * 60_000, "_tokens" * 2000, '"id": "no", "output_tokens": 9 ' * 100])
def test_count_of_a_whole_answer(between: int, text: str) -> None:
    """The count is found before or after a long text, without the thinking, and however far other counts stand."""
    usage = {"completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 7}}
    other = {"padding": "y" * between, "max_output_tokens": None}
    for said in ({"id": "a", "text": text, "usage": usage, **other}, {"id": "a", "usage": usage, "text": text}):
        scanner = Scanner("chat", is_stream=False, encoding="", choices=1)
        scanner.feed(json.dumps(said).encode())
        scanner.end()
        assert (scanner.output_tokens, scanner.response_id) == (13, "a")


@pytest.mark.parametrize("path", PATHS)
def test_half_streams(path: str) -> None:
    """Of half a stream half the tokens are counted, where the provider lets them be; and it is not whole."""
    half = events(path)[: 1 + PIECES // 2]
    scanner = scanned(path, b"".join(half), 50)
    assert not scanner.whole
    assert scanner.output_tokens in ({None} if path == "/v1/messages" else {PIECES // 2, PIECES // 2 + 1})


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_streams(encoding: str, pack: object) -> None:
    """A compressed stream is looked into; one in an unknown encoding is not, and one that is broken does no harm."""
    data = b"".join(events(PATHS[0]))
    assert scanned(PATHS[0], pack(data), 40, encoding).output_tokens == PIECES  # type: ignore[operator]
    assert scanned(PATHS[0], data, 40, "br").output_tokens is None
    assert scanned(PATHS[0], data, 40, "gzip").output_tokens is None


@pytest.mark.parametrize(
    "event",
    [
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
        b'data: {"error": {"message": "x"}}\n\n',
        b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{}}}\n\n',
    ],
)
def test_error_within_a_stream(event: bytes) -> None:
    """An error told within a stream that began well is seen; the word in an answer is none."""
    assert scanned(PATHS[0], event, 1000).failed
    assert not scanned(PATHS[0], b'data: {"choices":[{"delta":{"content":"an error: \\"error\\""}}]}\n\n', 1000).failed


class ConnectTimeout(TimeoutError):  # noqa: N818 - their name
    """Named as httpx and requests name theirs."""


class PackedError(Exception):
    """As urllib3 packs the last error."""

    reason = TimeoutError()


@pytest.mark.parametrize(
    ("error", "signalled", "ending"),
    [
        (KeyboardInterrupt(), False, INTERRUPT),
        (SystemExit(), True, INTERRUPT),
        (SystemExit(), False, CANCELLED),
        (asyncio.CancelledError(), False, CANCELLED),
        (asyncio.CancelledError(), True, INTERRUPT),
        (GeneratorExit(), False, CANCELLED),
        (TimeoutError(), False, TIMEOUT),
        (PackedError(), False, TIMEOUT),
        (ConnectTimeout(), False, FAILED),
        (ConnectionResetError(), False, FAILED),
        (ConnectionResetError(), True, FAILED),
        (None, False, CANCELLED),
        (None, True, INTERRUPT),
    ],
)
def test_reasons(error: BaseException | None, signalled: bool, ending: Ending) -> None:
    """Each kind of exception has its reason; a connection that was never made has none, for nothing was sent."""
    assert ending_of(error, signalled=signalled) == ending


def test_reason_of_a_response_closed_while_an_exception_is_handled() -> None:
    """The program's own errors make a closed response, not a failed call; Ctrl-C and deadlines keep their reason."""
    assert closing_of(ValueError(), signalled=False) == CANCELLED
    assert closing_of(KeyboardInterrupt(), signalled=False) == INTERRUPT
    assert closing_of(TimeoutError(), signalled=False) == TIMEOUT
    exit_of_generator = GeneratorExit()
    exit_of_generator.__context__ = KeyboardInterrupt()
    assert closing_of(exit_of_generator, signalled=False) == INTERRUPT


def test_first_process_of_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel kills no process number 1 by SIGTERM, so there the signal is left alone: the calls go on."""
    assert isinstance(leaving._wrapped(signal.SIGTERM, signal.SIG_DFL), leaving._Deadly)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert leaving._wrapped(signal.SIGTERM, signal.SIG_DFL) is signal.SIG_DFL


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler, print])
def test_handlers_look_as_set(handler: Any, log: Path) -> None:
    """What a program sets for a signal is what it is told about it."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        before = signal.signal(signum, handler)
        assert signal.getsignal(signum) is handler
        assert signal.signal(signum, before) is handler
        assert signal.getsignal(signum) is before


def test_modules_look_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hooked module keeps its spec, its loader and its source; a module that fails to load fails as it would."""
    (tmp_path / "made_up.py").write_text("VALUE = 1\n", encoding="utf-8")
    (tmp_path / "made_up_badly.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[Any] = []
    before = list(sys.meta_path)
    follow({"made_up": seen.append, "made_up_badly": seen.append, "json": seen.append})
    assert [module.__name__ for module in seen] == ["json"], "loaded already"
    module = importlib.import_module("made_up")
    assert seen[1:] == [module]
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert "exec_module" not in vars(module.__loader__)
    assert inspect.getsource(module) == "VALUE = 1\n"
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("made_up_badly")
    sys.meta_path[:] = before
    del sys.modules["made_up"]
