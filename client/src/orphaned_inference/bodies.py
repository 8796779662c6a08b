"""What a request's body says about its call: model, stream, limits. The body comes in; its text never leaves here.

A body of ordinary size is parsed. In a large one (pictures, long documents) parsing would take milliseconds, so
its members are looked up near both of its ends, where the SDKs put the short ones; what stands elsewhere is
not found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_PARSED_BYTES_MAX = 128 << 10
_END_BYTES = 8 << 10
_TEXT_CHARS_MAX = 200
_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens", "max_tokens_to_sample")
_NAMES = tuple(f'"{name}"'.encode() for name in ("model", "stream", "background", "n", *_LIMITS))
_VALUE = re.compile(rb'\s*:\s*("[^"\\]{0,200}"|\d{1,9}(?=\s*[,}])|true|false|null)')
_FORM_MODEL = re.compile(rb'name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,200})\r\n')


class Facts(NamedTuple):
    """What a body says; None where it does not. `choices`: how many answers were asked for.

    `background`: the provider files the work as a job, to be asked for later.
    """

    model: str | None = None
    stream: bool | None = None
    background: bool = False
    max_output_tokens: int | None = None
    choices: int = 1
    request_bytes: int | None = None


def facts_of(body: Any) -> Facts:
    """The facts of a body: bytes, text, or the mapping that will become JSON. Anything else says nothing."""
    if isinstance(body, str):
        body = body.encode("utf-8", "replace")
    if isinstance(body, (bytes, bytearray)):
        return _facts(_members(bytes(body)), len(body))
    return _facts(body, None) if isinstance(body, Mapping) else Facts()


def _members(body: bytes) -> Mapping[str, Any]:
    """The outermost members of a body, as far as they are of interest."""
    if body.startswith(b"--"):
        found = _FORM_MODEL.search(body[:_END_BYTES]) or _FORM_MODEL.search(body[-_END_BYTES:])
        return {"model": found.group(1).decode("utf-8", "replace")} if found else {}
    if len(body) > _PARSED_BYTES_MAX:
        return {**_near(body[:_END_BYTES]), **_near(body[-_END_BYTES:])}
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _near(text: bytes) -> dict[str, Any]:
    """The short members in a piece of JSON. A key stands after a brace or comma; in a text its quotes are escaped."""
    found: dict[str, Any] = {}
    for name in _NAMES:
        start = text.find(name)
        while start >= 0:
            value = _VALUE.match(text, start + len(name))
            if value is not None and text[max(0, start - 8) : start].rstrip()[-1:] in {b"{", b","}:
                found[name[1:-1].decode()] = json.loads(value.group(1))
            start = text.find(name, start + 1)
    return found


def _facts(members: Mapping[str, Any], request_bytes: int | None) -> Facts:
    generation = members.get("generationConfig") or {}  # Gemini's
    if not isinstance(generation, Mapping):
        generation = {}
    stream = members.get("stream")
    limits = [members[name] for name in _LIMITS if name in members]
    return Facts(
        model=_text(members.get("model")),
        stream=stream if isinstance(stream, bool) else None,
        background=members.get("background") is True,
        max_output_tokens=_first_count([*limits, generation.get("maxOutputTokens")]),
        choices=_first_count([members.get("n"), generation.get("candidateCount")]) or 1,
        request_bytes=request_bytes,
    )


def _text(value: Any) -> str | None:
    return value[:_TEXT_CHARS_MAX] if isinstance(value, str) and value else None


def _first_count(values: list[Any]) -> int | None:
    return next((value for value in values if type(value) is int and value > 0), None)
