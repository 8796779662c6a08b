"""What providers charge for work that was given up: the dated, sourced table comes in, one decision goes out.

The table is `policies.toml`; its head explains the columns. What a probe has measured stands before it, in the same
format, and the user's overrides before both. This module refuses to invent: a provider without an entry gets the
default, which says that it is disputed.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from collector.records import instant_us

On = Literal["cancelled", "error", "stream_dropped", "unary_dropped"]
Mode = Literal["stream", "unary", "any"]
Billed = Literal["yes", "no", "disputed"]
RunsOn = Literal["yes", "no", "disputed", "unknown"]
Certainty = Literal["measured", "high", "medium", "low"]

ANY_PROVIDER = "*"
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "on": get_args(On),
    "mode": get_args(Mode),
    "billed": get_args(Billed),
    "runs_on": get_args(RunsOn),
    "certainty": get_args(Certainty),
}
_TEXTS = ("provider", "source", "note")
CONFIG = "config"
_MODES: Mapping[str, Mode] = {"stream_dropped": "stream", "unary_dropped": "unary"}


@dataclass(frozen=True, slots=True)
class Policy:
    """One claim about one provider. `from_us` is the first instant it is applied to; `model` is a regexp."""

    provider: str
    model: str | None
    on: On
    mode: Mode
    billed: Billed
    runs_on: RunsOn
    from_us: int
    certainty: Certainty
    source: str
    note: str


@dataclass(frozen=True, slots=True)
class PolicyOverride:
    """One entry of the config's `policies`: the user knows whether this was billed."""

    provider: str
    on: On
    billed: bool
    model: str | None = None


Claim = PolicyOverride | Policy  # what the user says, or what was measured


def table(claims: Sequence[Claim] = ()) -> list[Policy]:
    """All policies in the order in which they are tried: the overrides as listed, the measured, the built-in table.

    Among the measured and in the table an entry for a provider goes before the default, one for a model before one
    without, and the newer before the older.
    """
    overrides = [_overriding(claim) for claim in claims if isinstance(claim, PolicyOverride)]
    measured = sorted((claim for claim in claims if isinstance(claim, Policy)), key=_precedence)
    return [*overrides, *measured, *_built_in()]


def decide(policies: Iterable[Policy], provider: str, model: str | None, on: On, at_us: int) -> Policy:
    """The first of `policies` that speaks about this provider, model, ending and instant.

    Raises LookupError if none does, which a list from `table` never causes for instants since 1970.
    """
    for policy in policies:
        if policy.on == on and policy.from_us <= at_us and _covers(policy, provider, model):
            return policy
    raise LookupError(f"no policy for {provider} {on} at {at_us}")


def keeps_running(policies: Iterable[Policy], policy: Policy, provider: str, model: str | None, at_us: int) -> RunsOn:
    """Whether work of that `policy`, one of `policies`, runs on when its caller leaves.

    An override says only what is billed; what was measured, and the built-in table, say the rest. Where these do
    not know, work that the user is billed for although nobody waited for it has run on.
    """
    if policy.source != CONFIG:
        return policy.runs_on
    told = (other for other in policies if other.source != CONFIG)
    known = decide(told, provider, model, policy.on, at_us).runs_on
    return known if known in {"yes", "no"} or policy.billed != "yes" else "yes"


def _covers(policy: Policy, provider: str, model: str | None) -> bool:
    if policy.provider not in {provider, ANY_PROVIDER}:
        return False
    return policy.model is None or (model is not None and re.search(policy.model, model) is not None)


def _overriding(override: PolicyOverride) -> Policy:
    return Policy(
        provider=override.provider,
        model=override.model,
        on=override.on,
        mode=_MODES.get(override.on, "any"),
        billed="yes" if override.billed else "no",
        runs_on="unknown",
        from_us=0,
        certainty="high",
        source=CONFIG,
        note="Said by the config.",
    )


@cache
def _built_in() -> tuple[Policy, ...]:
    text = files("collector.costing").joinpath("policies.toml").read_text(encoding="utf-8")
    return tuple(sorted(policies_from_toml(text), key=_precedence))


def _precedence(policy: Policy) -> tuple[bool, bool, int]:
    return (policy.provider == ANY_PROVIDER, policy.model is None, -policy.from_us)


def policies_from_toml(text: str) -> list[Policy]:
    """The `[[policy]]` entries of `text`, in order. Raises ValueError that names the entry and the fault."""
    entries = tomllib.loads(text).get("policy", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("expected [[policy]] entries")
    return [_policy(entry) for entry in entries]


def _policy(entry: Mapping[str, Any]) -> Policy:
    known = {*_CHOICES, *_TEXTS, "from"}
    faults = sorted(known - entry.keys()) + sorted(entry.keys() - known - {"model"})
    faults += [key for key, choices in _CHOICES.items() if key in entry and entry[key] not in choices]
    faults += [key for key in _TEXTS if not entry.get(key)]
    if faults or not isinstance(entry["from"], date):
        raise ValueError(f"policy {entry.get('provider')} {entry.get('on')}: wrong or missing: {faults or ['from']}")
    day = entry["from"]
    fields = {key: entry[key] for key in (*_CHOICES, *_TEXTS)}
    return Policy(
        **fields,
        model=entry.get("model"),
        from_us=instant_us(datetime(day.year, day.month, day.day, tzinfo=UTC)),
    )


def toml_from_policy(policy: Policy) -> str:
    """One `[[policy]]` entry that `policies_from_toml` reads as `policy`; its day is that of `from_us`."""
    told: dict[str, str | None] = {"provider": policy.provider, "model": policy.model}
    told |= {key: getattr(policy, key) for key in (*_CHOICES, "source", "note")}
    lines = [f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in told.items() if text is not None]
    day = datetime.fromtimestamp(policy.from_us // 1_000_000, UTC).date()
    return "\n".join(["[[policy]]", *lines, f"from = {day}"]) + "\n"
