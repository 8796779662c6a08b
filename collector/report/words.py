"""How figures become words: counts with their noun, amounts with their currency, lengths of time, instants.

Plain integers come in, text goes out; None is "unknown", which is not zero.
"""

from datetime import UTC, datetime

from collector.exporters.landing import money, percent

SECOND_US = 1_000_000
_PLURALS = {"was": "were", "is": "are", "has": "have", "its": "their", "it": "them", "stays": "stay", "this": "these"}


def counted(count: int, noun: str, plural: str = "") -> str:
    """Like "1 abort", "2,779 aborts", "no abort"."""
    if count == 0:
        return f"no {noun}"
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or noun + 's'}"


def agreed(count: int, word: str) -> str:
    """The form of a verb or pronoun that goes with so many: "was" or "were"."""
    return word if count in {0, 1} else _PLURALS[word]


def amount(nano: int | None, currency: str) -> str:
    """Like "13.16 USD", or "an unknown amount"."""
    return "an unknown amount" if nano is None else f"{money(nano)} {currency}"


def share(part: int, whole: int) -> str:
    """Like "12.1 %", or "an unknown share" where there is no whole."""
    return percent(part, whole) or "an unknown share"


def seconds(length_us: int | None) -> str:
    """Like "0.250 s", "32.5 s", "2 min 30 s", "1 h 5 min"; "an unknown time" where it is not known."""
    if length_us is None:
        return "an unknown time"
    if length_us < SECOND_US:
        return f"{length_us / SECOND_US:.3f} s"
    if length_us < 120 * SECOND_US:
        return f"{length_us / SECOND_US:.1f} s"
    minutes, rest = divmod(round(length_us / SECOND_US), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def limit(length_us: int) -> str:
    """A limit that somebody set: "10 s", "1.5 s"."""
    return f"{length_us / SECOND_US:g} s"


def instant(at_us: int) -> str:
    """Like "Fri 20 Nov 2026, 10:15 UTC"."""
    moment = datetime.fromtimestamp(at_us // SECOND_US, UTC)
    return f"{moment:%a} {moment.day} {moment:%b %Y, %H:%M} UTC"


def listed(texts: list[str]) -> str:
    """Like "a", "a and b", "a, b and c"."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""


def named(text: str, what: str) -> str:
    """`text`, or that it has none: "an unnamed service"."""
    return text or f"an unnamed {what}"
