"""How one value of the config is read: the text as written comes in, a checked value goes out.

Durations become microseconds, dates microseconds since 1970 UTC, regular expressions are compiled; prices
stay decimal text. Every refusal is a ValueError that says what was expected. None knows its file or line.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from collector.money import nano_from_text
from collector.records import instant_us

DURATION_UNITS_US = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
DURATION_US_MAX = 3_660 * DURATION_UNITS_US["d"]
SIZE_UNITS_BYTES = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
DURATION_HELP = "a whole number and a unit, like 500ms, 30s, 15m, 48h or 7d"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PORT_MAX = 65_535
NAME_CHARS_MAX = 100
PROJECTS_MAX = 100
RECIPIENTS_MAX = 50
FILTER_CHARS_MAX = 19_000  # Logging takes 20,000; the limits of time are added
CALLS_A_MINUTE_MAX = 60  # cloud.google.com/logging/quotas

# Usage kinds that a bill or a price may name; those of a price per million tokens come first.
TOKEN_USAGES = (
    "input", "cached_input", "output", "thinking", "cache_write", "cache_write_5m", "cache_write_1h",
    "audio_input", "cached_audio_input", "audio_output", "image_input", "cached_image_input", "image_output",
    "video_input", "video_output",
)  # fmt: skip
USAGES = (*TOKEN_USAGES, "image")

FieldPath: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WeeklyTime:
    """A time of the week, UTC: `weekday` counts from Monday, 0."""

    weekday: int
    hour: int
    minute: int


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 lets the system choose."""

    host: str
    port: int


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected one value, not a list or a mapping")  # noqa: TRY004 - pydantic takes no other
    if not value.strip():
        raise ValueError("is empty")
    return value


def _flag(value: object) -> bool:
    text = _text(value)
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def duration_us(value: object) -> int:
    """A duration's text as microseconds. Raises ValueError with what was expected."""
    text = _text(value)
    parts = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d)", text)
    if parts is None:
        raise ValueError(f"{text!r} is no duration; expected {DURATION_HELP}")
    amount_us = int(parts[1]) * DURATION_UNITS_US[parts[2]]
    if amount_us > DURATION_US_MAX:
        raise ValueError(f"{text} is longer than ten years")
    return amount_us


def _interval_us(value: object) -> int:
    if (amount_us := duration_us(value)) == 0:
        raise ValueError("must be longer than nothing")
    return amount_us


def _hop(value: object) -> int:
    text = _text(value)
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise ValueError(f"{text!r} is no hop; expected a whole number, larger the further out, like 3")
    return int(text)


def _probability(value: object) -> float:
    text = _text(value)
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0.0 <= found <= 1.0:
        raise ValueError(f"expected a probability between 0 and 1, not {text!r}")
    return found


def _currency(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise ValueError(f"{text!r} is no currency code; expected three capital letters, like USD")
    return text


def _date_us(value: object) -> int:
    text = _text(value)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date; expected YYYY-MM-DD, like 2026-01-01") from None
    return instant_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _price(value: object) -> str:
    text = _text(value)
    try:
        nano = nano_from_text(text)
    except ValueError:
        raise ValueError(f'{text!r} is no amount; expected a decimal number, like "0.30"') from None
    if nano < 0:
        raise ValueError(f"{text} is negative; a price is 0 or more")
    return text


def _pattern(value: object) -> re.Pattern[str]:
    text = _text(value)
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None


def _weekly(value: object) -> WeeklyTime:
    text = _text(value)
    parts = re.fullmatch(rf"({'|'.join(WEEKDAYS)}) ([01][0-9]|2[0-3]):([0-5][0-9])", text.lower())
    if parts is None:
        raise ValueError(f'{text!r} is no time of the week; expected a day and a time, like "mon 06:00"')
    return WeeklyTime(WEEKDAYS.index(parts[1]), int(parts[2]), int(parts[3]))


def _address(value: object) -> Address:
    text = _text(value)
    parts = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):([0-9]{1,5})", text)
    if parts is None or int(parts[2]) > PORT_MAX:
        raise ValueError(f"{text!r} is no address; expected host:port, like 127.0.0.1:9747 or [::1]:9747")
    return Address(parts[1].strip("[]"), int(parts[2]))


def _name(value: object) -> str:
    text = _text(value)
    if len(text) > NAME_CHARS_MAX or not text.isprintable():
        raise ValueError(f"is longer than {NAME_CHARS_MAX} characters, or not printable")
    return text


def _usage(value: object) -> str:
    text = _text(value)
    if text not in USAGES:
        raise ValueError(f"{text!r} is no usage kind; expected one of {', '.join(USAGES)}")
    return text


def _projects(value: object) -> tuple[str, ...]:
    texts = [_text(text) for text in value] if isinstance(value, list) else []
    if not 1 <= len(texts) <= PROJECTS_MAX:
        raise ValueError(f"expected a list of 1 to {PROJECTS_MAX} project ids, like [acme-prod]")
    for text in texts:
        if not re.fullmatch(r"([a-z0-9.-]+:)?[a-z0-9-]{1,63}", text):
            raise ValueError(f"{text!r} is no project id; expected one like acme-prod")
        if texts.count(text) > 1:
            raise ValueError(f"{text} is there twice")
    return tuple(texts)


def _filter(value: object) -> str:
    text = _text(value)
    if len(text) > FILTER_CHARS_MAX:
        raise ValueError(f"is longer than {FILTER_CHARS_MAX} characters")
    return text


def _calls_per_minute(value: object) -> int:
    text = _text(value)
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= CALLS_A_MINUTE_MAX:
        raise ValueError(f"expected a number of calls from 1 to {CALLS_A_MINUTE_MAX}, not {text!r}")
    return int(text)


def _export_table(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"([a-z0-9.-]+:)?[a-z0-9-]{1,63}\.\w{1,1024}\.[\w-]{1,1024}", text, re.ASCII):
        raise ValueError(f"{text!r} is no table; expected project.dataset.table, as BigQuery's console shows it")
    return text


def _project(value: object) -> str:
    return _projects([value])[0]


def _location(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", text):
        raise ValueError(f"{text!r} is no location; expected one like EU, US or europe-west1")
    return text


def size_bytes(value: object) -> int:
    """A size's text as bytes. Raises ValueError with what was expected."""
    text = _text(value)
    parts = re.fullmatch(r"([0-9]{1,12})\s?(MiB|GiB|TiB)", text)
    if parts is None or int(parts[1]) == 0:
        raise ValueError(f"{text!r} is no size; expected a whole number and a unit, like 500MiB, 10GiB or 1TiB")
    return int(parts[1]) * SIZE_UNITS_BYTES[parts[2]]


def _port(value: object) -> int:
    text = _text(value)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= PORT_MAX:
        raise ValueError(f"expected a port from 1 to {PORT_MAX}, not {text!r}")
    return int(text)


def _mail_address(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", text) or not text.isascii():
        raise ValueError(f"{text!r} is no mail address; expected one like finops@example.com")
    return text


def _mail_addresses(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not 1 <= len(texts) <= RECIPIENTS_MAX:
        raise ValueError(f"expected 1 to {RECIPIENTS_MAX} mail addresses")
    return tuple(map(_mail_address, texts))


def _url(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"https?://[^\s/?#<>|]+\S*", text) or not text.isascii():
        raise ValueError("expected an address that begins with https:// (or http://)")
    return text


def _path_pattern(value: object) -> str:
    text = _text(value)
    if "\0" in text:
        raise ValueError("a path holds no NUL character")
    return text


def field_path(text: str) -> FieldPath:
    """The keys that a dotted path names; a quoted key may hold dots: labels."a.b/c" is ("labels", "a.b/c").

    Raises ValueError for anything else.
    """
    keys = re.findall(r'\.("[^"]+"|[^."\s]+)', f".{text}")
    if "".join(f".{key}" for key in keys) != f".{text}":
        raise ValueError(f'{text!r} is no dotted path; expected keys like jsonPayload.model, labels."a.b/c"')
    return tuple(key.strip('"') for key in keys)


def field_paths(*texts: str) -> tuple[FieldPath, ...]:
    """The paths in `texts`, in their order."""
    return tuple(map(field_path, texts))


def _field_paths(value: object) -> tuple[FieldPath, ...]:
    """One path, or several of which the first that is present wins; none at all: the log does not have it."""
    texts = [] if value is None else value if isinstance(value, list) else [value]
    return field_paths(*map(_text, texts))


Text = Annotated[str, BeforeValidator(_text)]
Port = Annotated[int, BeforeValidator(_port)]
MailAddress = Annotated[str, BeforeValidator(_mail_address)]
MailAddresses = Annotated[tuple[str, ...], BeforeValidator(_mail_addresses)]
Url = Annotated[str, BeforeValidator(_url)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Duration = Annotated[int, BeforeValidator(duration_us)]
Interval = Annotated[int, BeforeValidator(_interval_us)]
Hop = Annotated[int, BeforeValidator(_hop)]
Probability = Annotated[float, BeforeValidator(_probability)]
Currency = Annotated[str, BeforeValidator(_currency)]
DateUs = Annotated[int, BeforeValidator(_date_us)]
Price = Annotated[str, BeforeValidator(_price)]
Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]
Weekly = Annotated[WeeklyTime, BeforeValidator(_weekly)]
Usage = Annotated[str, BeforeValidator(_usage)]
ListenAddress = Annotated[Address, BeforeValidator(_address)]
Name = Annotated[str, BeforeValidator(_name)]
PathPattern = Annotated[str, BeforeValidator(_path_pattern)]
Projects = Annotated[tuple[str, ...], BeforeValidator(_projects)]
Filter = Annotated[str, BeforeValidator(_filter)]
CallsPerMinute = Annotated[int, BeforeValidator(_calls_per_minute)]
ExportTable = Annotated[str, BeforeValidator(_export_table)]
Project = Annotated[str, BeforeValidator(_project)]
Location = Annotated[str, BeforeValidator(_location)]
Size = Annotated[int, BeforeValidator(size_bytes)]
FieldPaths = Annotated[tuple[FieldPath, ...], BeforeValidator(_field_paths)]
