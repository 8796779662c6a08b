"""aiohttp: the step of a session that sends one request and follows its redirects.

What is fed to the response's reader is counted as it comes off the wire, whoever reads it and how. The reader and
the response get a subclass of their class for it; the reader has no room for an attribute, so calls are found by
the reader's identity for as long as it lives.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from orphaned_inference.calls import REQUEST_ID, SENDING, Call, Header, begin, header_of, restore
from orphaned_inference.quiet import quietly

_CALLS: dict[int, Call] = {}  # id of a watched reader -> its call, until the call has ended


def hook(module: ModuleType) -> None:
    """Watch the sessions of aiohttp."""
    session: Any = module.ClientSession
    original = session._request  # noqa: SLF001 - get, post, request and the rest all come through here

    @functools.wraps(original)
    async def _request(self: Any, method: str, str_or_url: Any, **kwargs: Any) -> Any:
        headers = kwargs.get("headers")
        if isinstance(headers, Iterator):  # it can be read once only
            kwargs["headers"] = list(headers)
        call, named = _begin(self, method, str_or_url, kwargs) or (None, kwargs)
        if call is None:
            return await original(self, method, str_or_url, **named)
        token = SENDING.set(call)
        try:
            response = await original(self, method, str_or_url, **named)
            if not _answered(call, response):
                call.drop()
        except BaseException as error:
            call.broken(error)
            raise
        finally:
            restore(SENDING, token)
        return response

    session._request = _request  # noqa: SLF001


@quietly
def _begin(session: Any, method: str, url: Any, kwargs: dict[str, Any]) -> tuple[Call | None, dict[str, Any]]:
    """The call, and the arguments with its id among the headers."""
    body = kwargs.get("json") if kwargs.get("json") is not None else kwargs.get("data")
    headers = kwargs.get("headers")
    call = begin(method, str(session._build_url(url)), _header(session, headers), body)  # noqa: SLF001
    if call is None or not call.adds_header:
        return call, kwargs
    try:
        return call, {**kwargs, "headers": _with_id(headers, call.request_id)}
    except Exception:
        call.drop()
        raise


def _header(session: Any, headers: Any) -> Header:
    """Looks into the headers of this request, then into the session's."""
    own = headers.items() if isinstance(headers, Mapping) else headers or ()
    return header_of([*session.headers.items(), *own])


def _with_id(headers: Any, request_id: str) -> Any:
    if headers is None:
        return {REQUEST_ID: request_id}
    if isinstance(headers, Mapping):
        copied = headers.copy() if hasattr(headers, "copy") else dict(headers)
        copied[REQUEST_ID] = request_id
        return copied
    return [*_pairs(headers), (REQUEST_ID, request_id)]


def _pairs(headers: Iterable[Any]) -> list[Any]:
    return list(headers)


@quietly
def _answered(call: Call, response: Any) -> bool:
    call.answered(response.status, response.headers.get)
    content = response.content
    for data in list(getattr(content, "_buffer", ())):
        call.received(data)
    if content.is_eof():
        call.complete()
        return True
    response._orphaned_inference_call = call  # noqa: SLF001 - ours
    kind: Any = type(response)
    response.__class__ = _watched_response(kind)
    kind = type(content)
    content.__class__ = _watched_reader(kind)
    _CALLS[id(content)] = call
    return True


@functools.lru_cache(maxsize=8)
def _watched_reader(base: Any) -> Any:
    class WatchedReader(base):  # type: ignore[misc]
        """Takes what its base takes, and tells the call of it."""

        __slots__ = ()

        def feed_data(self, data: bytes, *args: Any) -> Any:
            result = super().feed_data(data, *args)
            call = _CALLS.get(id(self))
            if call is not None:
                call.received(data)
            return result

        def feed_eof(self) -> None:
            call = _CALLS.pop(id(self), None)
            if call is not None:
                call.complete()
            super().feed_eof()

        def set_exception(self, exc: BaseException, *args: Any) -> None:
            call = _CALLS.pop(id(self), None)
            if call is not None:
                call.broken(exc)
            super().set_exception(exc, *args)

    return _named_as(WatchedReader, base)


@functools.lru_cache(maxsize=8)
def _watched_response(base: Any) -> Any:
    class WatchedResponse(base):  # type: ignore[misc]
        """Closes as its base does, and tells the call of it."""

        def _notify_content(self) -> None:
            _left(self)
            super()._notify_content()

        def __del__(self, *args: Any) -> None:
            _left(self)
            super().__del__(*args)

    return _named_as(WatchedResponse, base)


@quietly
def _left(response: Any) -> None:
    """Closed, released or forgotten: if the last byte has not come by now, it was left."""
    _CALLS.pop(id(response.content), None)
    response._orphaned_inference_call.closed()  # noqa: SLF001 - ours


def _named_as(watched: Any, base: Any) -> Any:
    watched.__name__, watched.__qualname__, watched.__module__ = base.__name__, base.__qualname__, base.__module__
    return watched
