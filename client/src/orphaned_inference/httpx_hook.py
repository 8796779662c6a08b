"""httpx and httpx2: the step of a client that sends one request, redirects and retries apart.

The response's stream is replaced by one that counts what passes. It stands inside the stream that the client
makes of it, so that the response looks as it always does.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from itertools import filterfalse, islice
from operator import itemgetter
from types import ModuleType
from typing import Any

from orphaned_inference.calls import (
    HEADERS,
    REQUEST_ID,
    SENDING,
    Call,
    Header,
    begin,
    header_of,
    restore,
)
from orphaned_inference.quiet import quietly

_ID = REQUEST_ID.encode()
_LISTED = 3  # of a header: its name as it was given and in small letters, its value
_NAME_AND_VALUE = itemgetter(1, 2)


def hook(module: ModuleType) -> None:
    """Watch the clients of `httpx` or of `httpx2`."""
    _hook_sync(module.Client, _sync_stream(module.SyncByteStream))
    _hook_async(module.AsyncClient, _async_stream(module.AsyncByteStream))


def _hook_sync(client: Any, stream: Any) -> None:
    original = client._send_single_request  # noqa: SLF001 - there is no public step between redirects

    @functools.wraps(original)
    def _send_single_request(self: Any, request: Any) -> Any:
        call = _begin(request)
        if call is None:
            return original(self, request)
        token = SENDING.set(call)
        try:
            response = original(self, request)
            if not _answered(call, response, stream):
                call.drop()
        except BaseException as error:
            call.broken(error)
            raise
        finally:
            restore(SENDING, token)
        return response

    client._send_single_request = _send_single_request  # noqa: SLF001


def _hook_async(client: Any, stream: Any) -> None:
    original = client._send_single_request  # noqa: SLF001

    @functools.wraps(original)
    async def _send_single_request(self: Any, request: Any) -> Any:
        call = _begin(request)
        if call is None:
            return await original(self, request)
        token = SENDING.set(call)
        try:
            response = await original(self, request)
            if not _answered(call, response, stream):
                call.drop()
        except BaseException as error:
            call.broken(error)
            raise
        finally:
            restore(SENDING, token)
        return response

    client._send_single_request = _send_single_request  # noqa: SLF001


@quietly
def _begin(request: Any) -> Call | None:
    if request.method != "POST":
        return None
    headers = request.headers
    header = _header(headers)
    call = begin(request.method, str(request.url), header, getattr(request, "_content", None))
    if call is not None and call.adds_header:
        try:
            _add_id(headers, header, call.request_id)
        except Exception:
            call.drop()
            raise
    return call


@quietly
def _answered(call: Call, response: Any, stream: Any) -> bool:
    call.answered(response.status_code, _header(response.headers))
    outer = response.stream
    if hasattr(outer, "_stream"):
        outer._stream = stream(outer._stream, call)  # noqa: SLF001
    else:
        response.stream = stream(outer, call)
    return True


def _header(headers: Any) -> Header:
    """Looks into them. The list inside has its names in small letters already: the public ways cost thrice as much."""
    try:
        found = dict(map(_NAME_AND_VALUE, headers._list))  # noqa: SLF001
        return {HEADERS[name]: found[name].decode("latin-1") for name in found.keys() & HEADERS.keys()}.get
    except (AttributeError, LookupError, TypeError, ValueError):
        return header_of(headers.raw)


def _add_id(headers: Any, header: Header, request_id: str) -> None:
    """Give them the id. Where they have none, and not an empty one either, it goes into their list right away."""
    listed = getattr(headers, "_list", None)
    if listed and len(listed[0]) == _LISTED and header(REQUEST_ID) is None:
        listed.append((_ID, _ID, request_id.encode()))
    else:
        headers[REQUEST_ID] = request_id


class _Watched:
    """A stream in a watched response. Forgotten, it was left."""

    def __init__(self, inner: Any, call: Call) -> None:
        self._inner, self._call = inner, call

    def __del__(self) -> None:
        try:
            call = self._call
        except AttributeError:  # it was made and not filled
            return
        call.closed()

    def __getattr__(self, name: str) -> Any:
        if name in {"_inner", "_call"}:  # of one that was made and not filled
            raise AttributeError(name)
        return getattr(self._inner, name)


def _sync_stream(base: Any) -> Any:
    class WatchedStream(_Watched, base):  # type: ignore[misc]
        """Passes everything on, and tells the call of it."""

        def __iter__(self) -> Iterator[bytes]:
            call, note = self._call, self._call.waiting.append
            try:
                chunks = iter(self._inner)
                while True:
                    # For each event of a stream next to nothing is done, and that in C: `note` gives None, so all pass.
                    yield from filterfalse(note, islice(chunks, call.pieces_max))
                    for chunk in chunks:
                        call.scan()
                        note(chunk)
                        yield chunk
                        break
                    else:
                        break
                call.complete()
            except GeneratorExit:  # nobody iterates on; whether the response is closed too, `close` will tell
                raise
            except BaseException as error:
                call.broken(error)
                raise

        def close(self) -> None:
            self._call.closed()
            self._inner.close()

    return WatchedStream


def _async_stream(base: Any) -> Any:
    class WatchedAsyncStream(_Watched, base):  # type: ignore[misc]
        """Passes everything on, and tells the call of it."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            call, waiting, pieces_max = self._call, self._call.waiting, self._call.pieces_max
            try:
                async for chunk in self._inner:
                    waiting.append(chunk)
                    if len(waiting) >= pieces_max:
                        call.scan()
                    yield chunk
                call.complete()
            except GeneratorExit:
                raise
            except BaseException as error:
                call.broken(error)
                raise

        async def aclose(self) -> None:
            self._call.closed()
            await self._inner.aclose()

    return WatchedAsyncStream
