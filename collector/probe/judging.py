"""What became of the calls that were left: the room and the user's config come in, a fate a call goes out.

The logs are read by the collector's own sources and matched by its own rules, in a ledger of the probe's own, so that
the user's books stay as they are. A verdict that a policy decided (evidence `assumed`) is no measurement and counts as
not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import duckdb

from collector.config import BillSource, ClientLogSource, CompletionLogSource, Config, LiveSource, SourceConfig
from collector.exporters.lives import lives_of
from collector.ledger import dialect
from collector.pipeline import reading, run_once
from collector.probe.room import Made, Room
from collector.reading import Progress

PACKAGE = "collector.probe"
OBSERVER = "orphaned-probe"
HOUR_US = 3_600_000_000

Fate = Literal["ran on", "stopped", "no trace", "pending", "too late", "failed", "not left"]
_FATES: dict[str, Fate] = {
    "orphaned": "ran on", "delivered": "ran on", "cut_short": "stopped", "failed": "failed", "unmatched": "no trace",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """One call that was made, and what became of it. `overrun_us`: how long the work went on after it was left."""

    made: Made
    fate: Fate
    evidence: str = ""
    overrun_us: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look into the logs gave. `controls_found`: how many of those answered a log has by id."""

    judged: tuple[Judged, ...]
    controls_found: int | None
    controls_output_tokens: tuple[int, ...]
    troubles: tuple[str, ...]


def can_be_told(config: Config, provider: str) -> bool:
    """Whether the config has a completion log of that provider."""
    return any(isinstance(s, CompletionLogSource) and s.provider == provider for s in config.sources)


def look(config: Config, room: Room, *, now_us: int, show: Progress) -> Looked:
    """Read what is new in the logs, match, and say what became of each call so far."""
    own = own_config(config, room, _logs(config, now_us - room.about.started_us + HOUR_US))
    done = run_once(own, now_us=now_us, show=show)
    troubles = tuple(f"{one.source}: {one.error}" for one in done.ledger.sources if one.error)
    made = room.made()
    with reading(own) as (connection, _):
        rows = {row[0]: row[1:] for row in dialect.run(connection, PACKAGE, "fate", {"observer": OBSERVER})}
        judged = tuple(_judged(one, rows.get(one.call_id)) for one in made)
        tokens = _controls(connection, [one for one in made if one.cell is None and one.outcome == "delivered"])
    return Looked(judged, len(tokens), tuple(count for count in tokens if count is not None), troubles)


def _logs(config: Config, since_us: int) -> list[SourceConfig]:
    """The user's sources but for the bill; those that are read live from `since_us` before now on."""
    return [
        source.model_copy(update={"since_us": since_us}) if isinstance(source, LiveSource) else source
        for source in config.sources if not isinstance(source, BillSource)
    ]  # fmt: skip


def any_left(room: Room) -> bool:
    """Whether a call was left at all; else there is nothing to look for."""
    return any(one.was_left for one in room.made())


def unlooked(room: Room) -> Looked:
    """What is known of the calls without a look into any log."""
    return Looked(tuple(_judged(one, None) for one in room.made()), None, (), ())


def own_config(config: Config, room: Room, sources: Sequence[SourceConfig]) -> Config:
    """The user's config over the probe's own ledger, with these sources and the probe as one more observer."""
    probe = ClientLogSource.model_validate({
        "name": OBSERVER, "kind": "client-log", "path": str(room.calls.absolute())
    })  # fmt: skip
    return replace(config, ledger_path=room.ledger.absolute(), sources=(probe, *sources))


def _judged(made: Made, row: tuple[object, ...] | None) -> Judged:
    if not made.was_left:
        return Judged(made, "not left" if made.cell is None or made.outcome != "delivered" else "too late")
    if row is None:
        return Judged(made, "pending")
    verdict, evidence, left_us, finished_us, tokens = row
    fate = _FATES.get(str(verdict), "pending")
    if fate == "no trace" or evidence not in {"exact", "probable"}:
        return Judged(made, fate if fate == "no trace" else "pending", str(evidence))
    overrun_us = finished_us - left_us if isinstance(finished_us, int) and isinstance(left_us, int) else None
    if fate == "ran on" and overrun_us is not None and overrun_us <= 0:
        fate = "too late"  # the work was done when the call was left: nothing could have stopped it
    return Judged(made, fate, str(evidence), overrun_us, tokens if isinstance(tokens, int) else None)


def _controls(connection: duckdb.DuckDBPyConnection, controls: Sequence[Made]) -> list[int | None]:
    """The output tokens of each control that a log tells by an id; None where the log does not count."""
    found: list[int | None] = []
    for control in controls:
        completions = [row for life in lives_of(connection, control.call_id) for row in life.completions]
        found += [completions[0]["output_tokens"]] if completions else []
    return found


def is_decided(looked: Looked) -> bool:
    """Whether another look can tell nothing new."""
    return all(one.fate != "pending" for one in looked.judged)
