"""What the data say about cancelling, beside what the policy table claims.

In: the verdicts of the last 30 days, and the policies. Out: the temporary table `policy_finding`, a row per claim,
and a problem for each claim that the data contradict. It changes no claim: the table and the user have the word.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import duckdb
import pyarrow as pa

from collector.costing.policies import On, Policy, PolicyOverride, decide, table
from collector.ledger import dialect

PACKAGE = "collector.costing"
ABORTS_MIN = 20  # fewer decide nothing
Z_90 = 1.6448536269514722  # between -z and z lie 90 % of a normal distribution

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

    `mode` and `ending` say what the claim is about; `ending` is None for calls of an unknown mode, of which no policy
    speaks. The share honored and its 90 % interval (Wilson's) are None where nothing was observed.
    """

    provider: str
    model: str
    mode: str
    ending: str | None
    runs_on: str | None
    billed: str | None
    certainty: str | None
    source: str | None
    from_us: int | None
    honored: int
    ignored: int
    unmatched: int
    honored_share: float | None
    honored_low: float | None
    honored_high: float | None
    overrun_us: int | None
    agrees: Agrees


_NUMBERS = {"from_us", "honored", "ignored", "unmatched", "overrun_us"}
_SHARES = {"honored_share", "honored_low", "honored_high"}
_SCHEMA = pa.schema([
    (name, pa.int64() if name in _NUMBERS else pa.float64() if name in _SHARES else pa.string())
    for name in Finding.__dataclass_fields__
])  # fmt: skip


def find(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], overrides: Sequence[PolicyOverride]
) -> list[Finding]:
    """Every claim, and what the 30 days before `now_us` say of it; also as the temporary table `policy_finding`."""
    found = list(findings(_observed(connection, values), table(overrides), values["now_us"]))
    _register(connection, found)
    return found


def warn(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], overrides: Sequence[PolicyOverride]
) -> None:
    """Put on record, once each, the claims that are contradicted by the models of this run's verdicts."""
    touched = set(dialect.run(connection, PACKAGE, "cancel_touched"))
    if not touched:
        return
    observed = [one for one in _observed(connection, values) if (one.provider, one.model) in touched]
    policies = table(overrides)
    _register(connection, [row for one in observed for row in _beside(one, policies, values["now_us"])])
    dialect.run(connection, PACKAGE, "policy_contradicted", values)


def _observed(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> list[Observed]:
    dialect.run(connection, "collector.ledger", "cancel_outcome", values)
    return [Observed(*row) for row in dialect.run(connection, PACKAGE, "cancel_observed")]


def _register(connection: duckdb.DuckDBPyConnection, found: Sequence[Finding]) -> None:
    connection.register("policy_finding", pa.Table.from_pylist([asdict(one) for one in found], schema=_SCHEMA))


# Findings -----------------------------------------------------------------------------------------------


def findings(observed: Sequence[Observed], policies: Sequence[Policy], now_us: int) -> Iterator[Finding]:
    """A finding for every claim: by model where there are data of the provider, as the table has it elsewhere."""
    for one in observed:
        yield from _beside(one, policies, now_us)
    for provider, model in sorted({(one.provider, one.model) for one in observed}):
        nothing = Observed(provider, model, "any", 0, 0, 0, None)
        for ending in get_args(On):
            policy = decide(policies, provider, model, ending, now_us)
            if not any((one.provider, one.model, one.mode) == (provider, model, policy.mode) for one in observed):
                yield _finding(nothing, policy)
    for policy in _silent(policies, {one.provider for one in observed}, now_us):
        yield _finding(Observed(policy.provider, policy.model or "", "any", 0, 0, 0, None), policy)


def _beside(one: Observed, policies: Sequence[Policy], now_us: int) -> Iterator[Finding]:
    """What was observed beside the claim about its mode."""
    endings: Mapping[str, On] = {"stream": "stream_dropped", "unary": "unary_dropped"}
    ending = endings.get(one.mode)
    yield _finding(one, None if ending is None else decide(policies, one.provider, one.model, ending, now_us))


def _silent(policies: Iterable[Policy], heard: set[str], now_us: int) -> Iterator[Policy]:
    """The claims in force about providers of which there are no data."""
    said: set[tuple[str, str | None, On]] = set()
    for policy in policies:
        key = (policy.provider, policy.model, policy.on)
        if policy.provider not in heard and policy.from_us <= now_us and key not in said:
            said.add(key)
            yield policy


def _finding(one: Observed, policy: Policy | None) -> Finding:
    aborts = one.honored + one.ignored
    low, high = interval(one.honored, aborts) if aborts else (None, None)
    return Finding(
        provider=one.provider, model=one.model, mode=policy.mode if policy else one.mode,
        ending=policy and policy.on, runs_on=policy and policy.runs_on, billed=policy and policy.billed,
        certainty=policy and policy.certainty, source=policy and policy.source, from_us=policy and policy.from_us,
        honored=one.honored, ignored=one.ignored, unmatched=one.unmatched,
        honored_share=one.honored / aborts if aborts else None, honored_low=low, honored_high=high,
        overrun_us=one.overrun_us, agrees=agrees(one, policy.runs_on if policy else "unknown"),
    )  # fmt: skip


def agrees(one: Observed, runs_on: str) -> Agrees:
    """Whether the data bear a claim out: a "yes" or "no" that lies on one side of 1/2 with its whole interval.

    Aborts without a completion may have been stopped unseen (some backends log only what they finish): the answer
    has to be the same whether none of them was stopped or all were. Where the table does not commit itself, or its
    sources disagree, the data are the answer: "measured".
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
    if low <= 0.5 <= high:
        return "unclear"
    return "yes" if (high < 0.5) == (runs_on == "yes") else "no"


def interval(honored: int, aborts: int) -> tuple[float, float]:
    """Wilson's 90 % interval of a share of which `honored` of `aborts` (at least one) were seen.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    square = Z_90 * Z_90
    share = honored / aborts
    middle = (honored + square / 2) / (aborts + square)
    reach = Z_90 * math.sqrt(aborts * share * (1 - share) + square / 4) / (aborts + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)
