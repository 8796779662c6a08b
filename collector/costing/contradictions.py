"""What the data say about cancelling, beside what the policy table claims.

In: the verdicts of the last 30 days, and the policies. Out: the temporary table `policy_finding`, a row per
claim, and a problem for each claim that the data contradict. It changes no claim: that is for people to do.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import duckdb
import pyarrow as pa

from collector.costing.policies import Claim, On, Policy, decide, table
from collector.ledger import dialect

PACKAGE = "collector.costing"
ABORTS_MIN = 20  # fewer decide nothing
Z_90 = 1.6448536269514722  # between -z and z lie 90 % of a normal distribution

HALF = 0.5  # a claim of yes or no is about most aborts

_ENDINGS: Mapping[str, On] = {"stream": "stream_dropped", "unary": "unary_dropped"}

Agrees = Literal["yes", "no", "unclear", "measured", "too few", "no data"]


@dataclass(frozen=True, slots=True)
class Observed:
    """What one backend did about aborts in one mode: 'stream', 'unary' or 'unknown'."""

    provider: str
    model: str
    mode: str
    honored: int  # aborts that it stopped for
    ignored: int  # aborts after which it worked on to its end
    unmatched: int  # aborts that have no completion: it may have stopped, and logged nothing
    overrun_us: int | None  # how long it worked on after the ignored ones, the median


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim beside the data: a row of `orphaned export policies`.

    `claim` is None for calls of an unknown mode, of which no policy speaks. The interval (of the share
    honored, Wilson's 90 %) is None where nothing was observed.
    """

    observed: Observed
    claim: Policy | None
    interval: tuple[float, float] | None
    agrees: Agrees


_SCHEMA = pa.schema([
    ("provider", pa.string()), ("model", pa.string()), ("mode", pa.string()), ("ending", pa.string()),
    ("runs_on", pa.string()), ("billed", pa.string()), ("certainty", pa.string()), ("source", pa.string()),
    ("from_us", pa.int64()), ("honored", pa.int64()), ("ignored", pa.int64()), ("unmatched", pa.int64()),
    ("overrun_us", pa.int64()), ("honored_low", pa.float64()), ("honored_high", pa.float64()),
    ("agrees", pa.string()),
])  # fmt: skip


def find(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], claims: Sequence[Claim]) -> list[Finding]:
    """Every claim, and what the 30 days before `now_us` say of it; `policy_finding` holds the same rows."""
    found = list(findings(_observed(connection, values), table(claims), values["now_us"]))
    _register(connection, found)
    return found


def warn(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], claims: Sequence[Claim]) -> None:
    """Put on record, once each, the claims that are contradicted by the models of this run's verdicts."""
    touched = set(dialect.run(connection, PACKAGE, "cancel_touched"))
    if not touched:
        return
    observed = [one for one in _observed(connection, values) if (one.provider, one.model) in touched]
    policies = table(claims)
    _register(connection, [_beside(one, policies, values["now_us"]) for one in observed])
    dialect.run(connection, PACKAGE, "policy_contradicted", values)


def _observed(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> list[Observed]:
    dialect.run(connection, "collector.ledger", "cancel_count", values)
    counted = connection.table("cancel_count").order("provider, model, mode").fetchall()
    return [Observed(*row) for row in counted]


def _register(connection: duckdb.DuckDBPyConnection, found: Sequence[Finding]) -> None:
    """`policy_finding`, for the steps and for the export; it holds until the next time."""
    connection.register("policy_finding", pa.Table.from_pylist([_row(one) for one in found], schema=_SCHEMA))


def _row(finding: Finding) -> dict[str, Any]:
    """One row of `policy_finding`; what is not known is left out, and so is NULL."""
    row: dict[str, Any] = {**asdict(finding.observed), "agrees": finding.agrees}
    if finding.interval is not None:
        row |= zip(("honored_low", "honored_high"), finding.interval, strict=True)
    if finding.claim is not None:
        claim = asdict(finding.claim)
        row |= {name: claim[name] for name in ("mode", "runs_on", "billed", "certainty", "source", "from_us")}
        row["ending"] = claim["on"]
    return row


# Findings -----------------------------------------------------------------------------------------------


def findings(observed: Sequence[Observed], policies: Sequence[Policy], now_us: int) -> Iterator[Finding]:
    """A finding for every claim: by model where its provider was observed, else as the table has it."""
    for one in observed:
        yield _beside(one, policies, now_us)
    seen = {(one.provider, one.model, one.mode) for one in observed}
    for provider, model in sorted({(one.provider, one.model) for one in observed}):
        nothing = Observed(provider, model, "any", 0, 0, 0, None)
        for ending in get_args(On):
            policy = decide(policies, provider, model, ending, now_us)
            if (provider, model, policy.mode) not in seen:
                yield _finding(nothing, policy)
    for policy in _silent(policies, {one.provider for one in observed}, now_us):
        yield _finding(Observed(policy.provider, policy.model or "", "any", 0, 0, 0, None), policy)


def _beside(one: Observed, policies: Sequence[Policy], now_us: int) -> Finding:
    """What was observed beside the claim about its mode."""
    ending = _ENDINGS.get(one.mode)
    claim = None if ending is None else decide(policies, one.provider, one.model, ending, now_us)
    return _finding(one, claim)


def _silent(policies: Iterable[Policy], heard: set[str], now_us: int) -> Iterator[Policy]:
    """The claims in force about providers of which there are no data."""
    said: set[tuple[str, str | None, On]] = set()
    for policy in policies:
        key = (policy.provider, policy.model, policy.on)
        if policy.provider not in heard and policy.from_us <= now_us and key not in said:
            said.add(key)
            yield policy


def _finding(one: Observed, claim: Policy | None) -> Finding:
    aborts = one.honored + one.ignored
    found = interval(one.honored, aborts) if aborts else None
    return Finding(one, claim, found, agrees(one, claim.runs_on if claim else "unknown"))


def agrees(one: Observed, runs_on: str) -> Agrees:
    """Whether the data bear a claim out: only where their whole interval lies on one side of 1/2.

    Aborts without a completion may have been stopped unseen (some backends log only what they finish): the
    answer has to be the same whether none of them was stopped or all were. Where the table does not commit
    itself, or its sources disagree, the data are the answer: "measured".
    """
    aborts, unseen = one.honored + one.ignored, one.unmatched
    if not aborts:
        return "no data"
    if aborts < ABORTS_MIN:
        return "too few"
    if runs_on not in {"yes", "no"}:
        return "measured"
    low, _ = interval(one.honored, aborts + unseen)
    _, high = interval(one.honored + unseen, aborts + unseen)
    if low <= HALF <= high:
        return "unclear"
    return "yes" if (high < HALF) == (runs_on == "yes") else "no"


def interval(honored: int, aborts: int) -> tuple[float, float]:
    """Wilson's 90 % interval of a share of which `honored` of `aborts` (at least one) were seen.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    square = Z_90 * Z_90
    share = honored / aborts
    middle = (honored + square / 2) / (aborts + square)
    reach = Z_90 * math.sqrt(aborts * share * (1 - share) + square / 4) / (aborts + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)
