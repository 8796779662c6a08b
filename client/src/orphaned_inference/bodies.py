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
_parsed = json.JSONDecoder().raw_decode
_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens", "max_tokens_to_sample")
_LIMIT_NAMES = frozenset(_LIMITS)
# A key stands after a brace or comma; in a text its quotes are escaped, and quotes are rare. `_LIMITS` and others.
_MEMBER = re.compile(
    rb'"(m(?:odel|ax_(?:output_tokens|completion_tokens|tokens(?:_to_sample)?))|stream|background|n)"'
    rb'\s*:\s*(?:"([^"\\]{0,200})"|(\d{1,9})(?=\s*[,}])|(true|false|null))'
)
_CONSTANTS = {b"true": True, b"false": False, b"null": None}
_CUT = b"\\"  # between the ends of a large body: nothing that is looked for has one in it
_BEFORE_KEY = 8  # bytes: a brace or comma, and blanks
_AFTER_QUOTE = 64  # bytes: a colon, a number, a comma, and blanks
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
    if not isinstance(body, (str, bytes, bytearray)):
        return _facts(body, None) if isinstance(body, Mapping) else Facts()
    if len(body) > _PARSED_BYTES_MAX:  # never copied
        size = None if isinstance(body, str) and not body.isascii() else len(body)
        return _facts(_members_near(_encoded(body[:_END_BYTES]), _encoded(body[-_END_BYTES:])), size)
    encoded = _encoded(body)
    return _facts(_members(encoded), len(encoded))


def _encoded(body: str | bytes | bytearray) -> bytes:
    return body.encode("utf-8", "replace") if isinstance(body, str) else bytes(body)


def _members_near(first: bytes, last: bytes) -> Mapping[str, Any]:
    """The members of a large body, of which these are the ends."""
    if first.startswith(b"--"):
        return _members_of_form(first) or _members_of_form(last)
    # A long text has no quotes, or has them everywhere: what is beyond the outermost ones need not be searched.
    first = first[: first.rfind(b'"') + _AFTER_QUOTE]
    return _near(first + _CUT + last[max(0, last.find(b'"') - _BEFORE_KEY) :])


def _members_of_form(text: bytes) -> Mapping[str, Any]:
    found = _FORM_MODEL.search(text)
    return {"model": found.group(1).decode("utf-8", "replace")} if found else {}


def _members(body: bytes) -> Mapping[str, Any]:
    """The outermost members of a body, as far as they are of interest."""
    if body.startswith(b"--"):
        return _members_of_form(body[:_END_BYTES]) or _members_of_form(body[-_END_BYTES:])
    try:
        parsed, _ = _parsed(body.lstrip().decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _near(text: bytes) -> dict[str, Any]:
    """The short members in a piece of JSON; of those that stand there twice the last."""
    found: dict[str, Any] = {}
    for member in _MEMBER.finditer(text):
        start = member.start()
        if text[max(0, start - _BEFORE_KEY) : start].rstrip().endswith((b"{", b",")):
            name, word, digits, constant = member.groups()
            if word is not None:
                found[name.decode()] = word.decode("utf-8", "replace")
            else:
                found[name.decode()] = int(digits) if digits else _CONSTANTS[constant]
    return found


def _facts(members: Mapping[str, Any], request_bytes: int | None) -> Facts:
    stream = members.get("stream")
    limit: int | None = None
    if not _LIMIT_NAMES.isdisjoint(members):
        limit = next(filter(None, (_count(members.get(name)) for name in _LIMITS)), None)
    choices = _count(members.get("n"))
    generation = members.get("generationConfig")  # Gemini's
    if generation is not None and isinstance(generation, Mapping):
        limit = limit or _count(generation.get("maxOutputTokens"))
        choices = choices or _count(generation.get("candidateCount"))
    return Facts(
        _text(members.get("model")),
        stream if isinstance(stream, bool) else None,
        members.get("background") is True,
        limit,
        choices or 1,
        request_bytes,
    )


def _text(value: Any) -> str | None:
    return value[:_TEXT_CHARS_MAX] if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
