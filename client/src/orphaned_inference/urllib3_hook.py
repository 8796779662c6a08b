"""urllib3, and so requests and botocore: the step of a connection pool that sends one request.

urllib3 retries by calling that step again from within; the calls are told apart by the retry history it passes on.
The response's class is exchanged for a subclass of it that counts: an attribute on the response that refers
back to it would keep its connection open for longer than the host expects.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from orphaned_inference.calls import REQUEST_ID, SENDING, Call, begin, header_of, restore
from orphaned_inference.quiet import quietly

# The attempt under way in this pool's step; a step within it is its retry.
_ATTEMPT: ContextVar[Call | None] = ContextVar("orphaned_inference_attempt", default=None)
_HEADERS, _RETRIES, _BODY = 3, 4, 2  # places of urlopen's arguments after the pool


def hook(module: ModuleType) -> None:
    """Watch the connection pools of urllib3 1.26 and 2."""
    pool: Any = module.HTTPConnectionPool
    original = pool.urlopen

    @functools.wraps(original)
    def urlopen(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        call, arguments, named = _begin(self, method, url, args, kwargs) or (None, args, kwargs)
        if call is None:
            return original(self, method, url, *arguments, **named)
        sending, attempt = SENDING.set(call), _ATTEMPT.set(call)
        try:
            response = original(self, method, url, *arguments, **named)
            if call.is_open and not _answered(call, response):  # where it is over the response is a retry's
                call.drop()
        except BaseException as error:
            call.broken(error)
            raise
        finally:
            restore(_ATTEMPT, attempt)
            restore(SENDING, sending)
        return response

    pool.urlopen = urlopen


@quietly
def _begin(
    pool: Any, method: str, url: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Call | None, tuple[Any, ...], dict[str, Any]]:
    """The call, and the arguments with its id among the headers."""
    # urlopen(method, url, body, headers, retries, ...): `args` begin with the body.
    named = dict(zip(("body", "headers", "retries"), args), **kwargs)
    headers = named.get("headers")
    headers = pool.headers if headers is None else headers
    before = _ATTEMPT.get()
    if before is not None and not getattr(named.get("retries"), "history", None):
        before = None  # a call of its own, made while the other one is sent: a body that is asked for on the way
    if before is not None:
        _end_attempt(before, named.get("retries"))
    whole = url if "://" in url else f"{pool.scheme}://{pool.host}{url}"
    retry_of = before.call_id if before is not None else None
    call = begin(method, whole, header_of(headers.items()), named.get("body"), retry_of=retry_of)
    if call is None or not call.adds_header:
        return call, args, kwargs
    try:
        headers = _with_id(headers, call.request_id)
    except Exception:
        call.drop()
        raise
    if len(args) > 1:
        return call, (args[0], headers, *args[2:]), kwargs
    return call, args, {**kwargs, "headers": headers}


def _with_id(headers: Any, request_id: str) -> Any:
    copied = headers.copy() if hasattr(headers, "copy") else dict(headers)
    copied[REQUEST_ID] = request_id
    return copied


def _end_attempt(call: Call, retries: Any) -> None:
    """The attempt that is being retried ended as the last entry of the history says."""
    history = getattr(retries, "history", None)
    last = history[-1] if history else None
    error, status = getattr(last, "error", None), getattr(last, "status", None)
    if status is not None:
        call.answered(int(status), _no_header)
        call.complete()
    else:
        call.broken(error if isinstance(error, BaseException) else ConnectionError())


def _no_header(_: str) -> None:
    return None


@quietly
def _answered(call: Call, response: Any) -> bool:
    call.answered(response.status, response.headers.get)
    body = getattr(response, "_body", None)
    if isinstance(body, bytes):  # read already
        call.received(body)
        call.complete()
        return True
    response._orphaned_inference_call = call  # noqa: SLF001 - ours
    kind: Any = type(response)
    response.__class__ = _watched(kind)
    return True


@functools.lru_cache(maxsize=8)
def _watched(base: Any) -> Any:
    class WatchedResponse(base):  # type: ignore[misc]
        """Reads as its base does, and tells the call of it."""

        _orphaned_inference_call: Call
        _orphaned_inference_reading = False  # what is closed in here meanwhile, urllib3 closes and not the host

        def read(self, *args: Any, **kwargs: Any) -> Any:
            return _read(self, super().read, *args, **kwargs)

        def read1(self, *args: Any, **kwargs: Any) -> Any:
            return _read(self, super().read1, *args, **kwargs)

        def read_chunked(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            call = self._orphaned_inference_call
            chunks = super().read_chunked(*args, **kwargs)
            try:
                while (chunk := _read(self, next, chunks, None)) is not None:
                    yield chunk
                call.complete()
            except BaseException as error:
                call.broken(error)
                raise

        def close(self) -> None:
            _closing(self)
            super().close()

    WatchedResponse.__name__, WatchedResponse.__qualname__ = base.__name__, base.__qualname__
    WatchedResponse.__module__ = base.__module__
    return WatchedResponse


def _read(response: Any, read: Any, *args: Any, **kwargs: Any) -> Any:
    call = response._orphaned_inference_call  # noqa: SLF001 - ours
    response._orphaned_inference_reading = True  # noqa: SLF001
    try:
        data = read(*args, **kwargs)
        if call.is_open and data is not None:
            call.received(data)
            if _is_at_end(response) and not getattr(response, "_decoded_buffer", b""):
                _ended(response, call)
    except BaseException as error:
        call.broken(error)
        raise
    finally:
        response._orphaned_inference_reading = False  # noqa: SLF001
    return data


@quietly
def _closing(response: Any) -> None:
    call = response._orphaned_inference_call  # noqa: SLF001 - ours
    if not call.is_open or response._orphaned_inference_reading:  # noqa: SLF001
        return
    if _is_at_end(response):
        _ended(response, call)
    else:
        call.closed()


def _ended(response: Any, call: Call) -> None:
    """No more will come. urllib3 1.26 takes a body that is too short for a whole one."""
    if getattr(response, "length_remaining", None):
        call.broken(ConnectionError())
    else:
        call.complete()


def _is_at_end(response: Any) -> bool:
    """Whether the last byte has come: http.client lets go of its file then."""
    file = getattr(response, "_fp", None)
    closed = getattr(file, "isclosed", None)
    return bool(closed()) if closed is not None else bool(getattr(file, "closed", False))
