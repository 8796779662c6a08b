"""What `orphaned probe` does: a config and the options come in, an exit code goes out.

Plan and progress go to `say`, the findings to `show`. The clock is the caller's.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from collector.config import Config, ProxyLog
from collector.exporters.bars import bars
from collector.money import nano_from_text
from collector.probe import billing, judging, measured, telling
from collector.probe import plan as planning
from collector.probe import room as rooms
from collector.probe import target as targets
from collector.probe.call import Clock
from collector.probe.calling import Caller, Ended, Pace
from collector.probe.judging import Looked
from collector.probe.plan import Mode, Step, Way
from collector.probe.room import About, Room
from collector.probe.shares import Finding, findings
from collector.probe.target import Asked, Target
from collector.probe.worst import Budget, Market, bound_of, worst_nano
from collector.problems import OperatingError, UsageError
from collector.reading import Progress
from collector.records import instant_text
from collector.sources.routes import match

UNLIMITED = "unlimited"
LOOK_EVERY_S = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """The options as typed, but for durations, which are seconds. What may be None has no default."""

    unary: str | None
    stream: str | None
    body: Path | None
    stream_body: Path | None
    headers: Sequence[str]
    leave: Sequence[str]
    ways: Sequence[str]
    calls: int
    controls: int
    alone: bool
    max_calls: int | None
    max_cost: str | None
    provider: str | None
    account: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    pace: Pace
    output: Path | None


@dataclass(frozen=True, slots=True)
class Manner:
    """How long the logs are waited for, how findings are told, and by which clock. `say` gets plan and progress."""

    wait_s: float
    as_json: bool
    clock_us: Clock
    say: Say
    show: Say


@dataclass(frozen=True, slots=True)
class _Plan:
    asked: Asked
    targets: dict[Mode, Target]
    worst_nano: dict[Mode, int | None]
    steps: list[Step]
    budget: Budget


def probe(config: Config, options: Options, manner: Manner, *, dry_run: bool) -> bool:
    """Make a probe and tell what it found; True if it went as planned. Raises UsageError before anything is sent."""
    plan, say = _plan(config, options, manner.clock_us()), manner.say
    lines = telling.plan(plan.steps, plan.targets, plan.worst_nano, plan.budget, config.currency)
    if dry_run:
        manner.show("\n".join(lines))
        return True
    say("\n".join(lines))
    if not telling.affordable(plan.steps, plan.worst_nano, plan.budget):
        raise UsageError("the budget does not allow one call: nothing was sent")
    room = _room(config, options, plan, manner.clock_us())
    say(f"Kept in {room.path}")
    caller = Caller(
        room, plan.targets, plan.worst_nano, plan.budget, pace=options.pace, clock_us=manner.clock_us, say=say
    )
    ended = caller.make(plan.steps)
    if manner.as_json and ended.told:  # else it stands in the report
        say(ended.told)
    told = _read(config, room, ended, replace(manner, wait_s=0.0) if ended.how == "interrupted" else manner)
    return told and ended.how in {"whole", "budget"}


def again(config: Config, path: Path, manner: Manner) -> bool:
    """Read the logs again for a probe that was made; nothing is called. True if nothing is pending."""
    return _read(config, rooms.known(path), None, manner)


def _read(config: Config, room: Room, ended: Ended | None, manner: Manner) -> bool:
    """Say what the logs tell of a probe's calls, and write down what was measured. True if nothing is pending."""
    if not room.made():
        raise OperatingError("no call was made, so there is nothing to look for")
    if judging.any_left(room):
        manner.say("Looking for these calls in the logs ...")
        with bars("reading and matching the logs") as progress:
            looked, found = _looked(config, room, manner, progress)
    else:
        looked = judging.unlooked(room)
        found = findings(looked)
    policies = measured.policies(found, room.about, config.policies)
    if manner.as_json:
        manner.show(json.dumps(telling.document(room.about, ended, looked, found, policies), indent=2))
    else:
        manner.show("\n".join(telling.report(room.about, ended, looked, found)))
    if pending := telling.pending(found):
        manner.say(f"{pending} calls are not decided yet: read again with orphaned probe --read {room.path}")
    if policies:
        measured.write(config.measured_path, policies)
        manner.say(f"Written to {config.measured_path}: {len(policies)} measured policies; the next run uses them.")
    return not pending


def _looked(config: Config, room: Room, manner: Manner, progress: Progress) -> tuple[Looked, list[Finding]]:
    """Look until nothing is pending, or as long as is waited; Ctrl-C ends the waiting and not the look."""
    waited_s = 0.0
    if not judging.can_be_told(config, room.about.provider):
        return billing.look(config, room, now_us=manner.clock_us(), show=progress)
    while True:
        looked = judging.look(config, room, now_us=manner.clock_us(), show=progress)
        if waited_s >= manner.wait_s or judging.is_decided(looked):
            return looked, findings(looked)
        pause_s = min(LOOK_EVERY_S, manner.wait_s - waited_s)
        try:
            time.sleep(pause_s)
        except KeyboardInterrupt:
            return looked, findings(looked)
        waited_s += pause_s


def _plan(config: Config, options: Options, now_us: int) -> _Plan:
    """Everything that can be known before the first byte is sent. Raises UsageError."""
    budget = _budget(options)
    routes = [route for source in config.sources if isinstance(source, ProxyLog) for route in source.routes]
    headers = targets.headers(options.headers, os.environ, ours=options.pace.id_header)
    urls: dict[Mode, str] = {}
    urls |= {"unary": options.unary} if options.unary else {}
    urls |= {"stream": options.stream} if options.stream else {}
    if not urls or options.body is None:
        raise UsageError("name what to call: --unary URL, --stream URL or both, and --body FILE")
    plain = targets.body_of(options.body, "--body")
    streamed = targets.body_of(options.stream_body, "--stream-body") if options.stream_body else plain
    bodies = {"unary": plain, "stream": streamed}
    aimed = {
        mode: targets.target(mode, targets.url_of(url, f"--{mode}"), bodies[mode], headers, routes)
        for mode, url in urls.items()
    }
    said = [match(target.url.geturl(), routes) for target in aimed.values()]
    chosen = {"provider": options.provider, "account": options.account, "model": options.model}
    asked = targets.asked(said[0], bodies[next(iter(aimed))], **chosen)
    _check_it_can_be_told(config, options, asked)
    market = Market(config.prices, config.currency, now_us)
    worst: dict[Mode, int | None] = {
        mode: _worst(options, asked, bodies[mode], target, market) for mode, target in aimed.items()
    }
    told = planning.cells(list(aimed), _ways(options), [planning.instant(text) for text in options.leave])
    return _Plan(asked, aimed, worst, list(planning.steps(told, options.calls, options.controls)), budget)


def _check_it_can_be_told(config: Config, options: Options, asked: Asked) -> None:
    """Raise UsageError where neither a log nor the bill could say afterwards what ran on."""
    if judging.can_be_told(config, asked.provider):
        return
    if not billing.has_bill(config):
        raise UsageError(
            f"{config.path}: no source tells of completions at {asked.provider}, and there is no bill, so nothing "
            "could say what ran on; add the completion log, or give --provider as that log's source names it"
        )
    if not options.alone or (options.unary and options.stream):
        raise UsageError(
            f"no source tells of completions at {asked.provider}, so only the bill can say what ran on. It tells no "
            "calls apart: probe one mode at a time, and give --alone if nobody else uses this model on this account "
            "until the bill's period has ended"
        )


def _budget(options: Options) -> Budget:
    if options.max_calls is None or options.max_cost is None:
        raise UsageError(
            "a probe spends money, and has no budget of its own: give --max-calls and --max-cost (an amount in the "
            f"config's currency, or `{UNLIMITED}` to limit calls alone)"
        )
    if options.max_cost == UNLIMITED:
        return Budget(options.max_calls, None)
    try:
        nano = nano_from_text(options.max_cost)
    except ValueError:
        nano = 0
    if nano <= 0:
        raise UsageError(f"--max-cost {options.max_cost}: expected an amount like 0.50, or `{UNLIMITED}`")
    return Budget(options.max_calls, nano)


def _worst(options: Options, asked: Asked, body: dict[str, object], target: Target, market: Market) -> int | None:
    """The worst price of a call; None where nobody knows it and money is not limited."""
    told = {"input_tokens": options.input_tokens, "output_tokens": options.output_tokens}
    try:
        return worst_nano(bound_of(body, len(target.body), **told), asked.provider, asked.model, market)
    except UsageError:
        if options.max_cost == UNLIMITED:
            return None
        raise


def _ways(options: Options) -> list[Way]:
    ways: list[Way] = [way for way in ("fin", "rst") if way in options.ways]
    unknown = set(options.ways) - set(ways)
    if unknown or not ways:
        raise UsageError("--by: expected fin, rst or both")
    return ways


def _room(config: Config, options: Options, plan: _Plan, now_us: int) -> Room:
    stamp = instant_text(now_us)[:19].replace("-", "").replace(":", "")
    name = f"probe-{stamp}Z-{secrets.token_hex(3)}"
    asked = plan.asked
    urls: dict[str, str] = {mode: target.shown for mode, target in plan.targets.items()}
    about = About(name, now_us, asked.provider, asked.account, asked.model, asked.operation, urls)
    return rooms.new(options.output or config.root / "probes" / name, about)
