"""Whom the probe calls: options as typed and the environment come in, one `Target` a mode goes out.

A header's value may stand in the environment or in a file. No value is ever printed or kept, and a message about
a header names it and nothing else; a URL that carries a secret is refused, because URLs are shown.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from collector.probe.plan import Mode
from collector.problems import UsageError
from collector.sources.routes import Route, RouteMatch, match

BODY_BYTES_MAX = 16 << 20
_SECRET_HEADERS = re.compile(r"authorization|cookie|token|secret|(^|-)key$", re.IGNORECASE)
_SECRET_QUERIES = re.compile(r"^(key|api[-_]?key|.*token|sig(nature)?|x-goog-signature|code)$", re.IGNORECASE)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect"})
_PLACED = re.compile(r"(?P<before>(?:\S+ )?)(?P<kind>env|file):(?P<name>.+)")
_HOW = "write it as `env:VARIABLE` or `file:PATH`, with a word like Bearer before it where that is needed"


@dataclass(frozen=True, slots=True)
class Target:
    """One mode's requests. `headers` hold secrets and are left out of what is printed."""

    mode: Mode
    url: SplitResult
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def shown(self) -> str:
        """The URL without its query."""
        return self.url._replace(query="", fragment="").geturl()

    @property
    def path(self) -> str:
        """What is asked of the host."""
        query = f"?{self.url.query}" if self.url.query else ""
        return f"{self.url.path or '/'}{query}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose work it is, by the logs' names."""

    provider: str
    account: str | None
    model: str
    operation: str | None


def url_of(text: str, option: str) -> SplitResult:
    """A URL to call. Raises UsageError for anything else, and for one that carries a secret."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError as error:
        raise UsageError(f"{option}: no URL: {error}") from None
    if (
        url.scheme not in {"http", "https"}
        or not url.hostname
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        raise UsageError(f"{option}: expected an http or https URL")
    secret = next((name for name, _ in parse_qsl(url.query) if _SECRET_QUERIES.match(name)), None)
    if url.username or url.password or secret:
        where = f"its query names {secret!r}" if secret else "it names a user"
        raise UsageError(f"{option}: the URL carries a secret ({where}), and URLs are shown: send it as --header")
    return url


def header(text: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """`Name: value` as name and value, the value fetched from where it is kept.

    Raises UsageError that names the header, and nothing of its value.
    """
    name, colon, said = (part.strip() for part in text.partition(":"))
    if not colon or not _NAME.fullmatch(name):
        raise UsageError("--header: expected `Name: value`")
    if name.lower() in _OURS:
        raise UsageError(f"--header {name}: the probe writes this one itself")
    placed = _PLACED.fullmatch(said)
    if placed is None and _SECRET_HEADERS.search(name):
        raise UsageError(f"--header {name}: a secret on the command line is seen by others: {_HOW}")
    value = said if placed is None else placed["before"] + _fetched(name, placed["kind"], placed["name"], environment)
    if not value or not value.isascii() or not value.isprintable():
        raise UsageError(f"--header {name}: its value is empty, or holds what no header may hold")
    return name, value


def headers(texts: Sequence[str], environment: Mapping[str, str], *, ours: str) -> list[tuple[str, str]]:
    """All of the user's headers. `ours` is the one that carries the call's id. Raises UsageError as `header` does."""
    if not _NAME.fullmatch(ours) or ours.lower() in _OURS | {"traceparent"}:
        raise UsageError(f"--id-header {ours}: cannot carry an id")
    told = [header(text, environment) for text in texts]
    taken = next((name for name, _ in told if name.lower() in {ours.lower(), "traceparent"}), None)
    if taken:
        raise UsageError(f"--header {taken}: the probe sends its own, to find its calls again (--id-header names it)")
    return told


def _fetched(name: str, kind: str, where: str, environment: Mapping[str, str]) -> str:
    if kind == "env":
        if where not in environment:
            raise UsageError(f"--header {name}: the environment has no {where}")
        return environment[where].strip()
    try:
        return Path(where).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--header {name}: {where} cannot be read: {type(error).__name__}") from None


def body_of(path: Path, option: str) -> dict[str, Any]:
    """The JSON object in a file. Raises UsageError for anything else."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read: {error.strerror or error}") from None
    try:
        told = json.loads(text[: BODY_BYTES_MAX + 1])
    except ValueError as error:
        raise UsageError(f"{option} {path}: no JSON: {error}") from None
    if not isinstance(told, dict) or len(text) > BODY_BYTES_MAX:
        raise UsageError(f"{option} {path}: expected one JSON object of at most {BODY_BYTES_MAX >> 20} MiB")
    return told


def target(
    mode: Mode, url: SplitResult, body: Mapping[str, Any], headers: Sequence[tuple[str, str]], routes: Sequence[Route]
) -> Target:
    """The requests of one mode. Where the path leaves open whether it streams, the body's `stream` is set.

    Raises UsageError where the path says the opposite of the mode.
    """
    said = match(url.geturl(), routes)
    streams = said.stream if said else None
    if streams is not None and streams != (mode == "stream"):
        verb = "streams" if streams else "does not stream"
        raise UsageError(f"--{mode}: the URL's path {verb}; each mode needs a URL of its own here")
    told = dict(body) if streams is not None else {**body, "stream": mode == "stream"}
    return Target(mode, url, json.dumps(told, ensure_ascii=False).encode(), tuple(headers))


def asked(
    said: RouteMatch | None, body: Mapping[str, Any], *, provider: str | None, account: str | None, model: str | None
) -> Asked:
    """Whose work the calls are: as the options say, else as the path does, else (a model) the body.

    Raises UsageError where nobody says.
    """
    provider = provider or (said.provider if said else None)
    named = model or (said.model if said else None) or body.get("model")
    if not provider or not isinstance(named, str) or not named:
        missing = "--model" if provider else "--provider"
        raise UsageError(f"the URL does not say whose work this is: give {missing}, as the completion log names it")
    return Asked(provider, account or (said.account if said else None), named, said.operation if said else None)
