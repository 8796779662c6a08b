"""What an answer says about itself while it arrives: its id, tokens, whether it is whole. Bytes in, counts out.

Of the answer's text nothing is kept beyond the line that is just arriving. Tokens are the provider's own count
where the stream carries one; for streams in OpenAI's shape without one, the pieces of text are counted: its
servers send a token a piece. Anthropic's do not, and there nothing is known before the end. Everything is looked for
as bytes: parsing every event would cost more than the rest.
"""

from __future__ import annotations

import re
import zlib

_UNARY_BYTES_MAX = 64 << 10  # of a whole answer; a picture is not searched
_UNPACKED_BYTES_MAX = 256 << 10
_REST_BYTES_MAX = 128 << 10
_HEAD_BYTES = 8 << 10
_GZIP_OR_ZLIB = 47  # zlib's word for: look at the header which of the two it is

_IDS = {  # by whether it is Google's: the key, and all of it
    True: (b'"responseId"', re.compile(rb'"responseId"\s*:\s*"([^"\\]{1,200})"')),
    False: (b'"id"', re.compile(rb'"id"\s*:\s*"([^"\\]{1,200})"')),
}
_GOOGLE_TOKENS = re.compile(rb'"candidatesTokenCount"\s*:\s*(\d{1,12})')
_TOKENS = re.compile(rb'"(?:completion_tokens|output_tokens)"\s*:\s*(\d{1,12})')
_THOUGHT_TOKENS = re.compile(rb'"reasoning_tokens"\s*:\s*(\d{1,12})')
_GOOGLE_FINISH = re.compile(rb'"finishReason"\s*:\s*"')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
_UNFINISHED = (b'"finish_reason"', b'"finish_reason":null')
_LAST = re.compile(rb'(?m)^data: ?\[DONE\]|"type"\s*:\s*"(?:message_stop|response\.(?:completed|incomplete))"')
_ERROR = re.compile(rb'(?m)^event: ?error\b|^data: ?\{\s*"(?:error"|type"\s*:\s*"(?:error|response\.failed)")')
# The keys of what a piece of text stands in; how that begins, and is empty, in JSON without blanks; and a null there.
_PIECES = tuple(
    (key, key + b':"', key + b':""', key + b":null", re.compile(key + rb'\s*:\s*"(?!")'))
    for key in (b'"content"', b'"text"', b'"arguments"', b'"reasoning_content"')
)
_USUAL = b'"delta":{"content":"'
# Where to look: whose stream it is stands in its first event; but for Google's and OpenAI's responses, whose events
# may be large, what is said once (counts, the end, an error) stands in the last ones, and is looked for when no more
# comes. Looking everywhere for each costs more than all the rest.
_FIRST_BYTES = 2 << 10
_TAIL_BYTES = 4 << 10
_USAGE_BYTES = 1 << 10
_TOKEN_WORDS = {True: b"candidatesTokenCount", False: b'_tokens"'}  # by whether it is Google's
_LAST_WORDS = (b"[DONE]", b"message_stop", b"response.completed", b"response.incomplete")
_CHOICES = b'"choices"'  # in OpenAI's other streams; what tells the kind of any other stands before such a word
_RESPONSE = b"response."
_RESPONSE_PIECE = b'"response.output_text.delta"'
_ANTHROPIC_START = b"message_start"  # carries a placeholder for the count, not a count


class Scanner:
    """Reads one answer as it arrives.

    `output_tokens` counts what arrived and could be seen, without thinking; None: not known. `whole`: the last
    event was seen, so nothing is missing even if the connection ends otherwise; set by whoever knows that better, it is
    looked for no more. `failed`: the stream told an error. `is_readable`: otherwise nothing can be found in it.
    """

    __slots__ = (
        "_counted", "_finished", "_is_response", "_is_token_a_piece", "_pieces", "_rest", "_seen_bytes",
        "_tail", "_unpack", "choices", "failed", "is_google", "is_readable", "is_stream", "response_id", "whole",
    )  # fmt: skip

    def __init__(self, operation: str | None, *, is_stream: bool, encoding: str, choices: int) -> None:
        self.is_google = operation == "generate_content"
        is_text = self.is_google or operation in {"chat", "text_completion"}
        self.is_stream = is_stream
        self.choices = choices
        self.response_id: str | None = None
        self.whole = self.failed = False
        self._unpack = _unpacker(encoding)
        self.is_readable = is_text and (encoding in {"", "identity"} or self._unpack is not None)
        self._rest = self._tail = b""
        self._seen_bytes = self._pieces = self._finished = 0
        self._counted: int | None = None
        self._is_token_a_piece = is_stream and not self.is_google
        self._is_response = False  # OpenAI's, by its first event

    @property
    def output_tokens(self) -> int | None:
        """Tokens that arrived."""
        if self._counted is None and self._is_token_a_piece:
            return self._pieces or None
        return self._counted

    def feed(self, data: bytes) -> None:
        """The next bytes off the wire. Many events at once: one by itself costs more."""
        if not self.is_readable:
            return
        if self._unpack is None:
            self._take(data)
            return
        try:
            while data:
                self._take(self._unpack.decompress(data, _UNPACKED_BYTES_MAX))
                data = self._unpack.unconsumed_tail
        except zlib.error:
            self.is_readable = False

    def end(self) -> None:
        """No more will come."""
        if self._rest and len(self._rest) <= _UNARY_BYTES_MAX:
            self._scan(self._rest)
        self._rest = b""
        if self._tail:
            self._look_at_tail(self._tail)
            self._tail = b""

    def _take(self, data: bytes) -> None:
        if self.is_stream:
            self._feed_stream(data)
        elif len(self._rest) <= _UNARY_BYTES_MAX:
            self._rest += data

    def _feed_stream(self, data: bytes) -> None:
        """Events end with a line; half a line waits for its other half."""
        end = data.rfind(b"\n") + 1
        if end:
            self._scan(self._rest + data[:end])
            self._rest = data[end:]
        elif len(self._rest) + len(data) <= _REST_BYTES_MAX:
            self._rest += data
        else:
            self._rest = b""

    def _scan(self, text: bytes) -> None:
        if self.response_id is None and self._seen_bytes < _HEAD_BYTES:
            self.response_id = _id_in(text, is_google=self.is_google)
        if not self.is_stream:
            self._count(text)
            return
        if self._seen_bytes < _FIRST_BYTES:
            choices_at = text.find(_CHOICES, 0, _FIRST_BYTES)
            first = text[: choices_at if choices_at >= 0 else _FIRST_BYTES]
            self._is_response = self._is_response or _RESPONSE in first
            self._is_token_a_piece = self._is_token_a_piece and _ANTHROPIC_START not in first
        self._seen_bytes += len(text)
        if self.is_google or self._is_response:
            self._look_at_tail(text)
        else:
            self._tail = text[-_TAIL_BYTES:] if len(text) >= _TAIL_BYTES else (self._tail + text)[-_TAIL_BYTES:]
        if self.choices > 1:
            self._finished += _finishes(text, is_google=self.is_google)
        if self._is_token_a_piece and self._counted is None:
            self._pieces += _pieces_of_events(text) if self.choices == 1 else _pieces_in(text)
            self._pieces += text.count(_RESPONSE_PIECE) if self._is_response else 0

    def _count(self, text: bytes) -> None:
        """The last count that the provider gives: lines are looked at from the last one on."""
        word = _TOKEN_WORDS[self.is_google]
        at = text.rfind(word)
        while at >= 0:
            start, end = _line_around(text, at) if self.is_stream else (0, len(text))
            tokens = self._tokens_in(text[start:end], at - start)
            if tokens is not None:
                self._counted = tokens
                return
            at = text.rfind(word, 0, start)

    def _tokens_in(self, line: bytes, at: int) -> int | None:
        """The count in a line with such a word, the last one at `at`: mostly it stands near, among other counts."""
        if self.is_stream and _ANTHROPIC_START in line:
            return None
        pattern, near = _GOOGLE_TOKENS if self.is_google else _TOKENS, max(0, at - _USAGE_BYTES)
        found = pattern.findall(line, near)
        if not found:
            near, found = 0, pattern.findall(line)
        if not found:
            return None
        thought = _THOUGHT_TOKENS.search(line, near) if not self.is_google else None
        return max(0, int(found[-1]) - (int(thought.group(1)) if thought else 0))

    def _look_at_tail(self, tail: bytes) -> None:
        """What is said once: the count, the end, an error. With several answers each has an end anywhere."""
        self._count(tail)
        if not self.whole:
            self._finished += _finishes(tail, is_google=self.is_google) if self.choices == 1 else 0
            self.whole = self._finished >= self.choices or (not self.is_google and _has_last_event(tail))
        self.failed = self.failed or (b"error" in tail and _ERROR.search(tail) is not None)


def _line_around(text: bytes, at: int) -> tuple[int, int]:
    """Where the line that has this place begins and ends."""
    end = text.find(b"\n", at)
    return text.rfind(b"\n", 0, at) + 1, end if end >= 0 else len(text)


def _id_in(text: bytes, *, is_google: bool) -> str | None:
    """The answer's id: the first one there is."""
    key, pattern = _IDS[is_google]
    at = text.find(key)
    found = pattern.search(text, at) if at >= 0 else None
    return found.group(1).decode("utf-8", "replace") if found else None


# Plain letters are found ten times as quickly as a pattern, so patterns are asked only where letters leave it open.


def _pieces_of_events(text: bytes) -> int:
    """How many pieces of text are in these events of one answer.

    Where each event has a line and a blank one, and one piece in its usual place, there is nothing else to be found;
    otherwise the lines that have none there are searched.
    """
    count = text.count(_USUAL) - text.count(_USUAL + b'"')
    if count and 2 * count == text.count(b"\n"):
        return count
    at, lines = len(_USUAL), text.split(b"\n")
    others = [
        line for line in lines if line and ((start := line.find(_USUAL)) < 0 or line.startswith(b'"', start + at))
    ]
    return len(lines) - lines.count(b"") - len(others) + _pieces_in(b"\n".join(others))


def _pieces_in(text: bytes) -> int:
    """How many pieces of text are in these events; an empty one is none. Who leaves out one blank leaves out all."""
    count = 0
    for key, compact, empty, null, pattern in _PIECES:
        start = text.find(key)
        if start >= 0:
            is_compact = text.startswith((compact, null), start)
            count += text.count(compact) - text.count(empty) if is_compact else len(pattern.findall(text))
    return count


def _finishes(text: bytes, *, is_google: bool) -> int:
    """How many answers end in these events."""
    if is_google:
        return len(_GOOGLE_FINISH.findall(text))
    key, unfinished = _UNFINISHED
    return len(_FINISH.findall(text)) if text.count(key) != text.count(unfinished) else 0


def _has_last_event(tail: bytes) -> bool:
    """Whether the stream says here that it is over."""
    first, second, third, fourth = _LAST_WORDS
    is_near = first in tail or second in tail or third in tail or fourth in tail
    return is_near and _LAST.search(tail) is not None


def _unpacker(encoding: str) -> zlib._Decompress | None:
    return zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in {"gzip", "deflate", "x-gzip"} else None
