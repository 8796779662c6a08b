"""Every library and SDK: one call, one pair of lines, whichever way the call ends."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import requests
import urllib3

from orphaned_inference import calls
from orphaned_inference.reasons import INTERRUPT
from tests.client import ways
from tests.client.logs import only, pairs
from tests.client.server import PIECES, Service

pytestmark = pytest.mark.filterwarnings("ignore:The generate_images method is deprecated")

ANY = [pytest.param(name, id=name) for name in ways.NAMES]
STREAMING = [pytest.param(name, id=name) for name in ways.NAMES if name != "genai-images"]
ASYNC = [pytest.param(name, id=name) for name in sorted(ways.ASYNC)]


@pytest.mark.parametrize("name", ANY)
def test_answer_is_delivered(name: str, service: Service, log: Path) -> None:
    """A whole answer is one pair of lines; the id in them is the one the server saw, and no secret is in them."""
    ways.ask(name, service.url, "quick")
    call = only(log)
    assert call.fate == ("delivered", None)
    assert call.ended["status_code"] == 200
    assert call.ended["bytes_received"] > 50
    assert call.started["model"] == "quick"
    assert call.started["stream"] is False
    ((_, path, headers, _),) = service.requests
    assert path
    assert headers["x-request-id"] == call.started["request_id"]
    assert "secret" not in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STREAMING)
def test_stream_is_delivered(name: str, service: Service, log: Path) -> None:
    """A stream read to its end is delivered, with its tokens and the id of the answer."""
    ways.stream(name, service.url, "quick")
    call = only(log)
    assert call.fate == ("delivered", None)
    assert call.started["stream"] is True
    assert call.ended["output_tokens_received"] == PIECES
    assert call.ended["response_id"] in {"chatcmpl-1", "msg_1", "resp_1", "gem-1"}


@pytest.mark.parametrize("name", STREAMING)
def test_closed_stream_is_cancelled(name: str, service: Service, log: Path) -> None:
    """A stream closed early is an abort by the program, with the bytes that came until then."""
    ways.stream(name, service.url, "slow", take=4)
    call = only(log)
    assert call.fate == ("aborted", "cancelled")
    assert 200 < call.ended["bytes_received"] < 2500
    if not name.startswith("anthropic"):  # it counts at the end only
        assert 1 <= call.ended["output_tokens_received"] <= 6


@pytest.mark.parametrize("name", ANY)
def test_timeout(name: str, service: Service, log: Path) -> None:
    """A library's own deadline is an abort with that reason."""
    with pytest.raises(Exception):  # noqa: B017 - each library has its own
        ways.ask(name, service.url, "hang", seconds=0.2)
    assert only(log).fate == ("aborted", "timeout")


@pytest.mark.parametrize("name", ANY)
@pytest.mark.parametrize("model", ["drop", "drop-midway"])
def test_lost_connection_failed(name: str, model: str, service: Service, log: Path) -> None:
    """A server that goes away before or within its answer makes a failed call."""
    if (name, model) == ("genai-async", "drop"):
        pytest.skip("this SDK waits ten seconds and tries again")
    with pytest.raises(Exception):  # noqa: B017
        ways.ask(name, service.url, model)
    assert {call.fate for call in pairs(log)} == {("failed", None)}


@pytest.mark.parametrize("name", STREAMING)
def test_lost_stream_failed(name: str, service: Service, log: Path) -> None:
    """So does a stream that is cut off."""
    with pytest.raises(Exception):  # noqa: B017
        ways.stream(name, service.url, "drop-midway")
    assert only(log).fate == ("failed", None)


@pytest.mark.parametrize("name", ANY)
def test_error_status_failed(name: str, service: Service, log: Path) -> None:
    """An error of the server's is a failed call with its status."""
    with pytest.raises(Exception):  # noqa: B017
        ways.ask(name, service.url, "error")
    call = only(log)
    assert call.fate == ("failed", None)
    assert call.ended["status_code"] == 500


@pytest.mark.parametrize("name", ASYNC)
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_cancelled_task(name: str, streamed: bool, service: Service, log: Path) -> None:
    """A cancelled task is an abort by the program, before the answer and within a stream."""
    way = ways.ASYNC[name]

    async def main() -> None:
        work = way.stream(service.url, "hang-midway", None) if streamed else way.ask(service.url, "hang", 5.0)
        task = asyncio.create_task(work)
        await asyncio.to_thread(service.wait_for_request)
        await asyncio.sleep(0.15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert only(log).fate == ("aborted", "cancelled")


@pytest.mark.parametrize("name", ASYNC)
@pytest.mark.parametrize("limit", ["wait_for", "timeout"])
def test_deadline_of_asyncio(name: str, limit: str, service: Service, log: Path) -> None:
    """A deadline of the program's own, around the call, is a timeout too."""

    async def main() -> None:
        work = ways.ASYNC[name].ask(service.url, "hang", 5.0)
        if limit == "wait_for":
            await asyncio.wait_for(work, 0.3)
        else:
            async with asyncio.timeout(0.3):
                await work

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert only(log).fate == ("aborted", "timeout")


def test_sdk_retries_are_calls(service: Service, log: Path) -> None:
    """Each attempt of an SDK is a pair of its own, with its number among the retries."""
    import openai

    client = openai.OpenAI(api_key="k", base_url=service.url + "/v1", timeout=0.3, max_retries=2)
    client.chat.completions.create(model="late", messages=[])
    client.chat.completions.create(model="flaky", messages=[])
    found = pairs(log)
    assert [call.fate for call in found] == [
        ("aborted", "timeout"), ("delivered", None), ("failed", None), ("delivered", None),
    ]  # fmt: skip
    assert [call.started["retry_count"] for call in found] == [0, 1, 0, 1]
    assert len({call.started["request_id"] for call in found}) == 4


def test_retries_of_urllib3(service: Service, log: Path) -> None:
    """urllib3's own retries, by a timeout and by a status, are pairs that name the attempt before."""
    often = urllib3.Retry(total=2, allowed_methods=None, status_forcelist=[500], backoff_factor=0)
    pool = urllib3.PoolManager(retries=often, timeout=0.3)
    for model in ("late", "flaky"):
        answer = pool.request("POST", service.url + ways.CHAT, json=ways.body(model))
        assert answer.status == 200
    found = pairs(log)
    assert [call.fate for call in found] == [
        ("aborted", "timeout"), ("delivered", None), ("failed", None), ("delivered", None),
    ]  # fmt: skip
    assert [call.started["retry_of"] for call in found] == [
        None, found[0].started["call_id"], None, found[2].started["call_id"],
    ]  # fmt: skip
    assert found[2].ended["status_code"] == 500


def test_id_of_the_host_stays(service: Service, log: Path) -> None:
    """A request that has an id keeps it; its traceparent is taken down too."""
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"X-Request-Id": "mine", "traceparent": f"00-{trace}-{span}-01"}
    requests.post(service.url + ways.CHAT, json=ways.body("quick"), headers=headers, timeout=5)
    started = only(log).started
    assert (started["request_id"], started["trace_id"], started["span_id"]) == ("mine", trace, span)
    assert service.requests[0][2]["x-request-id"] == "mine"
    assert headers == {"X-Request-Id": "mine", "traceparent": f"00-{trace}-{span}-01"}


def test_what_is_no_inference_is_not_touched(service: Service, log: Path) -> None:
    """Other requests get no header and no line."""
    requests.post(service.url + "/v1/files", json={"model": "quick"}, timeout=5)
    requests.get(service.url + "/v1/models", timeout=5)
    requests.post(service.url + "/v1/responses", json={"model": "quick", "background": True}, timeout=5)
    assert not log.exists()
    assert not any("x-request-id" in headers for _, _, headers, _ in service.requests)


def test_threads(service: Service, log: Path) -> None:
    """Calls in many threads at once are as many pairs, none mixed up."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ways.ask("httpx", service.url, "quick"), range(32)))
    found = pairs(log)
    assert len(found) == 32
    assert {call.fate for call in found} == {("delivered", None)}
    assert {json.dumps(call.ended["bytes_received"]) for call in found} == {"317"}


def test_whole_stream_closed_at_its_last_event(service: Service, log: Path) -> None:
    """A program that stops at the event that says it is the last has got everything."""
    with requests.post(
        service.url + ways.CHAT, json=ways.body("quick", stream=True), stream=True, timeout=5
    ) as response:
        for line in response.iter_lines(chunk_size=1):
            if line == b"data: [DONE]":
                break
    assert only(log).fate == ("delivered", None)


def test_forgotten_response(service: Service, log: Path) -> None:
    """A response that is dropped without being closed was left by the program."""
    client = httpx.Client()
    response = client.send(client.build_request("POST", service.url + ways.CHAT, json=ways.body("slow", stream=True)),
                           stream=True)  # fmt: skip
    next(response.iter_lines())
    del response
    gc.collect()
    assert only(log).fate == ("aborted", "cancelled")


@pytest.mark.parametrize("pieces", [0, 1, 15, 16, 17, 33, 127, 128, 129, 257, 300])
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_every_piece_of_an_answer_passes(pieces: int, is_stream: bool, awaited: bool, log: Path) -> None:
    """However many pieces an answer has, the host gets each, even if its call was ended by then; all are counted."""
    said = [b"%d\n" % number for number in range(pieces)]
    body = ways.body("m", stream=is_stream)

    class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
        """The answer; somebody ends the call in the middle of the second one."""

        ends = False

        def __iter__(self) -> Iterator[bytes]:
            for number, piece in enumerate(said):
                if self.ends and number == pieces // 2:
                    calls.end_all(INTERRUPT)
                yield piece

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self:
                yield piece

    stream = Stream()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=stream))

    async def ask_soon() -> bytes:
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.post("http://x" + ways.CHAT, json=body)).content

    for stream.ends in (False, True):
        if awaited:
            got = asyncio.run(ask_soon())
        else:
            got = httpx.Client(transport=transport).post("http://x" + ways.CHAT, json=body).content
        assert got == b"".join(said)
    whole, ended = pairs(log)
    assert (whole.fate, whole.ended["bytes_received"]) == (("delivered", None), len(got))
    assert ended.fate == (("aborted", "interrupt") if pieces else ("delivered", None))
    assert ended.ended["bytes_received"] == len(b"".join(said[: pieces // 2]))


@pytest.mark.parametrize("taken", [1, 20, 127, 128, 129, 130, 200])
@pytest.mark.parametrize("cut", [1, 40, 90, 97], ids=["data", "key", "character", "end"])
def test_left_anywhere_with_events_cut(taken: int, cut: int, log: Path) -> None:
    """A stream whose pieces begin and end within an event, a key or a character: left, it has what had come by then."""
    text = "data: " + json.dumps({"choices": [{"delta": {"content": "Grüße €"}}]}, ensure_ascii=False).replace(" ", "")
    event = text.encode() + b"\n\n"
    cut = min(cut * len(event) // 100, len(event) - 1)
    sent = event * 300
    pieces = [sent[:cut], *(sent[at : at + len(event)] for at in range(cut, len(sent), len(event)))]

    class Stream(httpx.SyncByteStream):
        """The answer."""

        def __iter__(self) -> Iterator[bytes]:
            yield from pieces

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Stream()))
    client = httpx.Client(transport=transport)
    with client.stream("POST", "http://x" + ways.CHAT, json=ways.body("m", stream=True)) as response:
        chunks = response.iter_raw()
        got = b"".join(next(chunks) for _ in range(taken))
    call = only(log)
    assert call.fate == ("aborted", "cancelled")
    assert call.ended["bytes_received"] == len(got)
    has_begun = len(got) % len(event) >= event.index(b'"content":"') + len(b'"content":"x')  # its text has
    assert (call.ended["output_tokens_received"] or 0) == len(got) // len(event) + has_begun
