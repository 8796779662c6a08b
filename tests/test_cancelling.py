"""What the data say about cancelling, beside what the policy table claims; and how the clocks stand."""

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from types import MappingProxyType

import duckdb
import pytest

from collector import pipeline
from collector.config import Config, load
from collector.costing import contradictions
from collector.costing.contradictions import Finding, Observed, agrees, findings, interval
from collector.costing.policies import PolicyOverride, table
from collector.exporters import tables
from collector.ledger import dialect
from collector.ledger.clocks import ClockState, clock_lines, slope
from collector.records import LedgerSummary, instant_us
from tests.helpers import HOUR_US, T0_US, Desk, Row, rows, run, settled
from tests.world import TrueAbort, World, WorldSpec, build
from tests.world_spec import APP, BACKEND, EDGE, PROVIDER

NOW_US = instant_us(datetime(2026, 11, 22, tzinfo=UTC))
REASONS = {"interrupt", "cancelled", "timeout", "disconnect", "vanished"}
STOP_US_MAX = 400_000  # the world's backends stop within 200 ms, and hear of it within some more
SPEC = WorldSpec(seed=0, calls=700, abort_share=0.35, bill="none", second_currency=None)

Key = tuple[str, str]  # model, mode


def exported(config: Config, *, as_of_us: int | None = None) -> list[Row]:
    """`orphaned export policies`, as a program reads it."""
    sink = io.BytesIO()
    with pipeline.reading(config, as_of_us=as_of_us) as (connection, values):
        contradictions.find(connection, values, config.policies)
        tables.write("policies", connection, sink)
    return list(csv.DictReader(io.StringIO(sink.getvalue().decode())))


def by_mode(found: list[Row]) -> dict[Key, Row]:
    """The rows about leaving a call of the world's provider, by model and mode."""
    return {
        (row["model"], row["mode"]): row
        for row in found
        if row["provider"] == PROVIDER and row["on"].endswith("_dropped")
    }


def contradicted(config: Config) -> list[str]:
    """The places of the contradictions on record."""
    return sorted(row["place"] for row in rows(config, "problem") if row["kind"] == "policy contradicted")


def true_counts(world: World) -> dict[str, Counter[Key]]:
    """Verdict -> how many aborts of which model and mode had it, each attempt once, failed calls left out."""
    counts: dict[str, Counter[Key]] = {"cut_short": Counter(), "orphaned": Counter(), "brief": Counter()}
    for abort in world.aborts:
        if abort.on_money_row and abort.reason in REASONS and abort.verdict in counts:
            key = (abort.model, "stream" if abort.stream else "unary")
            counts[abort.verdict][key] += 1
            counts["brief"][key] += abort.verdict == "orphaned" and _brief(abort)
    return counts


def _brief(abort: TrueAbort) -> bool:
    """Whether the work ended so soon after the abort that it could hardly have been stopped."""
    if abort.finished_at is None or abort.ended_at is None:
        return False
    return (abort.finished_at - abort.ended_at).total_seconds() * 1e6 < STOP_US_MAX


# The share -----------------------------------------------------------------------------------------------


def test_the_share_is_the_true_one(tmp_path: Path) -> None:
    """Honored are the aborts that the world's backends stopped for; ignored all others with time to stop."""
    world = build(replace(SPEC, seed=11, skew_ms=MappingProxyType({APP: 250, EDGE: -150, BACKEND: 30})))
    found = by_mode(exported(settled(world, tmp_path)))
    truth = true_counts(world)
    assert found.keys() == {(model.name, mode) for model in SPEC.models for mode in ("stream", "unary")}
    for key, row in found.items():
        assert int(row["honored"]) == truth["cut_short"][key]
        ignored = truth["orphaned"][key]
        assert ignored - truth["brief"][key] <= int(row["ignored"]) <= ignored
        assert int(row["aborts"]) == int(row["honored"]) + int(row["ignored"])
        assert float(row["honored_share"]) == round(int(row["honored"]) / int(row["aborts"]), 4)


def test_the_interval_holds_the_truth(tmp_path: Path) -> None:
    """Of 18 intervals some nine of ten hold the share at which the backends stop, with half of the ids."""
    share, held, honored, aborts = 0.3, 0, 0, 0
    for seed in range(6):
        spec = replace(SPEC, seed=seed, backend_stops_share=share, backend_error_share=0.0, id_share=0.5)
        found = by_mode(exported(settled(build(spec), tmp_path / str(seed))))
        for model in SPEC.models:
            row = found[model.name, "stream"]
            held += float(row["honored_share_low"]) <= share <= float(row["honored_share_high"])
            honored, aborts = honored + int(row["honored"]), aborts + int(row["aborts"])
    assert held >= 14
    assert abs(honored / aborts - share) < 0.04, (held, honored, aborts)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
def test_the_interval_is_a_90_percent_one(share: float) -> None:
    """Over all that 40 aborts may show, the interval holds the share in 85 to 95 of 100 cases."""
    held = 0.0
    for honored in range(41):
        low, high = interval(honored, 40)
        assert 0 <= low <= honored / 40 <= high <= 1
        held += comb(40, honored) * share**honored * (1 - share) ** (40 - honored) * (low <= share <= high)
    assert 0.85 < held < 0.95


# Claims beside data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("honored", "ignored", "unmatched", "runs_on", "expected"),
    [
        (0, 0, 5, "yes", "no data"),
        (0, 19, 0, "yes", "too few"),
        (0, 20, 0, "yes", "yes"),
        (0, 20, 0, "no", "no"),
        (20, 0, 0, "no", "yes"),
        (20, 0, 0, "yes", "no"),
        (11, 10, 0, "yes", "unclear"),
        (0, 20, 20, "no", "unclear"),
        (30, 0, 0, "disputed", "measured"),
        (0, 30, 0, "unknown", "measured"),
    ],
)
def test_agreement(honored: int, ignored: int, unmatched: int, runs_on: str, expected: str) -> None:
    """Data agree or disagree with their whole interval; unseen ends and few aborts decide nothing."""
    assert agrees(Observed("p", "m", "stream", honored, ignored, unmatched, None), runs_on) == expected


def test_every_claim_is_listed_once() -> None:
    """Providers that were observed have their four claims by model, all others stand as in the table."""
    seen = [Observed("openai", model, "stream", 30, 1, 0, 0) for model in ("gpt-a", "gpt-b")]
    found = list(findings(seen, table(), NOW_US))
    keys = [key_of(one) for one in found]
    assert len(set(keys)) == len(keys)
    ours = [one for one in found if one.observed.provider == "openai"]
    assert Counter(one.observed.model for one in ours) == {"gpt-a": 4, "gpt-b": 4}
    assert {one.agrees for one in ours} == {"yes", "no data"}
    assert {one.observed.provider for one in found} >= {"*", "gcp.gemini", "aws.bedrock"}


def key_of(finding: Finding) -> tuple[str, str, str | None]:
    """What a finding is about."""
    claim = finding.claim
    return finding.observed.provider, finding.observed.model, None if claim is None else claim.on


def test_the_user_speaks_first() -> None:
    """An override stands in the place of the table's claim; of stopping it says nothing."""
    said = table([PolicyOverride("openai", "stream_dropped", billed=True, model="^gpt-a$")])
    seen = [Observed("openai", model, "stream", 1, 30, 0, 9_000_000) for model in ("gpt-a", "gpt-b")]
    told = {key_of(one): one for one in findings(seen, said, NOW_US)}
    mine, theirs = (told["openai", model, "stream_dropped"] for model in ("gpt-a", "gpt-b"))
    assert mine.claim is not None
    assert (mine.claim.source, mine.agrees) == ("config", "measured")
    assert theirs.agrees == "no"


def test_calls_of_an_unknown_mode_have_no_claim() -> None:
    """No policy is about calls of which nobody said whether they stream: they are measured only."""
    found = findings([Observed("p", "m", "unknown", 30, 1, 0, 0)], table(), NOW_US)
    assert [one.agrees for one in found if one.claim is None] == ["measured"]


# The warning -----------------------------------------------------------------------------------------------


def test_a_contradiction_is_said_once(tmp_path: Path) -> None:
    """Where backends stop that are said to run on, each model's streams are a problem, once."""
    world = build(replace(SPEC, seed=5, backend_stops_share=0.95))
    for part in (0.7, 0.85, 1.0):
        config = load(world.write(tmp_path, upto=part))
        run(config, instant_us(world.as_of) + round(part * 1e6))
    expected = sorted(f"{PROVIDER} {model.name} stream" for model in SPEC.models)
    assert contradicted(config) == expected
    said = [row for row in rows(config, "problem") if row["kind"] == "policy contradicted"]
    assert all(row["excerpt"].startswith("runs_on = yes, from 2025-01-01, by ") for row in said)
    assert {row["agrees"] for key, row in by_mode(exported(config)).items() if key[1] == "stream"} == {"no"}
    assert {row["agrees"] for key, row in by_mode(exported(config)).items() if key[1] == "unary"} == {"yes"}


def test_agreement_is_silent(tmp_path: Path) -> None:
    """Where backends run on as the table says, nothing is said."""
    config = settled(build(replace(SPEC, seed=5, backend_stops_share=0.1)), tmp_path)
    assert contradicted(config) == []
    assert {row["agrees"] for row in by_mode(exported(config)).values()} == {"yes"}


def test_few_aborts_are_silent(tmp_path: Path) -> None:
    """19 aborts of a model, all of them honored, are no contradiction; the 20th makes it one."""
    desk = Desk(tmp_path)
    for number in range(20):
        _left_and_stopped(desk, f"c{number}", 60 + number)
        if number >= 18:
            desk.run(60 + number + 60)
            expected = [] if number == 18 else [f"{PROVIDER} acme-chat-1 stream"]
            assert contradicted(desk.config) == expected


def test_old_aborts_are_forgotten(tmp_path: Path) -> None:
    """The figures are of the 30 days before the run, and an older run's can be drawn again."""
    desk = Desk(tmp_path)
    _left_and_stopped(desk, "old", 60)
    desk.run(120)
    then_us = T0_US + 120 * 60_000_000
    _left_and_stopped(desk, "new", 31 * 24 * 60)
    desk.run(31 * 24 * 60 + 60)
    assert by_mode(exported(desk.config))["acme-chat-1", "stream"]["honored"] == "1"
    assert by_mode(exported(desk.config, as_of_us=then_us))["acme-chat-1", "stream"]["honored"] == "1"


def test_what_could_not_be_stopped_counts_nowhere(tmp_path: Path) -> None:
    """Work that ended within the time that stopping takes here, or before the abort, says nothing."""
    desk = Desk(tmp_path)
    for number in range(3):
        _left_and_stopped(desk, f"stopped{number}", 60 + number)
    for name, minute, seconds in (("late", 70, -1), ("brief", 75, 1), ("on", 80, 30)):
        desk.started(name, minute - 0.5)
        desk.ended(name, minute)
        desk.completion(name, minute + seconds / 60, seconds=10 + max(seconds, 0))
    desk.run(200)
    row = by_mode(exported(desk.config))["acme-chat-1", "stream"]
    assert (row["honored"], row["ignored"], row["overrun_seconds_median"]) == ("3", "1", "30")


def _left_and_stopped(desk: Desk, name: str, minute: float) -> None:
    """A stream that is left at `minute` and that its backend gives up two seconds later."""
    desk.started(name, minute - 0.5)
    desk.ended(name, minute)
    desk.completion(name, minute + 2 / 60, seconds=20, status="cancelled")


# The gauges ------------------------------------------------------------------------------------------------


def gauges(summary: LedgerSummary) -> dict[str, dict[tuple[str, ...], float]]:
    """Both families by their labels."""
    names = ("cancel_honored_aborts", "cancel_ignored_aborts")
    return {name: {one.labels: one.value for one in summary.families[name]} for name in names}


def test_gauges_are_the_export(tmp_path: Path) -> None:
    """The two gauges have the figures of the export, by provider, model and mode."""
    world = build(replace(SPEC, seed=3))
    config = load(world.write(tmp_path))
    done = run(config, instant_us(world.as_of))
    seen = [row for row in exported(config) if int(row["aborts"])]
    for name, column in (("cancel_honored_aborts", "honored"), ("cancel_ignored_aborts", "ignored")):
        expected = {(row["provider"], row["model"], row["mode"]): int(row[column]) for row in seen}
        assert gauges(done.ledger)[name] == gauges(pipeline.latest(config))[name] == expected
        assert sum(expected.values()) > 0


def test_labels_are_admitted(tmp_path: Path) -> None:
    """A model beyond the first hundred is counted under `other`."""
    desk = Desk(tmp_path)
    for number in range(103):
        model = f"m{number:03d}"
        desk.started(model, 60, model=model)
        desk.ended(model, 60.2)
        desk.completion(model, 61, seconds=55, model=model)
    counted = gauges(desk.run(200).ledger)["cancel_ignored_aborts"]
    assert counted[PROVIDER, "other", "stream"] == 3
    assert len(counted) == 101


# The clocks ------------------------------------------------------------------------------------------------


def clocks_of(config: Config) -> dict[str, ClockState]:
    """How the clocks stand by the last run."""
    with pipeline.reading(config) as (connection, values):
        return {one.source: one for one in clock_lines(connection, values)}


@pytest.mark.parametrize("skews_ms", [(0, 0, 0), (300, -150, 40), (-600, 500, -90)])
def test_skew_is_estimated(tmp_path: Path, skews_ms: tuple[int, int, int]) -> None:
    """The shift is the backend's clock less the observer's, and one way of the network, within 20 ms."""
    skew_ms = dict(zip((APP, EDGE, BACKEND), skews_ms, strict=True))
    spec = replace(SPEC, seed=2, hours=8, skew_ms=MappingProxyType(skew_ms), calls=1500)
    found = clocks_of(settled(build(spec), tmp_path))
    assert found.keys() == {APP, EDGE}
    for source, state in found.items():
        expected_ms = skew_ms[BACKEND] - skew_ms[source] + spec.delay_ms
        assert abs(state.shift_us / 1000 - expected_ms) < 20
        assert state.drift_us is not None
        assert abs(state.drift_us) < 60_000
        assert state.pairs > 50


def test_drift_is_the_slope_of_the_hours() -> None:
    """A clock that loses 240 ms a day is seen to, though one hour of the day was wild."""
    hours = [(hour, 20_000 + 10_000 * hour + (3_000_000 if hour == 7 else 0)) for hour in range(24)]
    assert drift_of(hours) == pytest.approx(240_000)


def test_drift_needs_three_hours() -> None:
    """With exact matches in two hours only, the shift is known and its drift is not."""
    assert drift_of([(0, 20_000), (1, 30_000)]) is None
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == 2.0


def drift_of(hours: list[tuple[int, int]]) -> float | None:
    """The drift found in a ledger with ten exact matches in each hour, all with that hour's delay."""
    with duckdb.connect() as connection:
        dialect.script(connection, "collector.ledger", ["schema", "macros"])
        for hour, delay_us in hours:
            for number in range(10):
                no, at_us = 100 * hour + number, T0_US + hour * HOUR_US + number * 1_000_000
                connection.execute(
                    "INSERT INTO suspect (suspect_no, source, started_at_us) VALUES ($1, 'app', $2)",
                    [no, at_us],
                )
                connection.execute(
                    "INSERT INTO chosen_match (suspect_no, evidence, received_at_us) SELECT $1, 'exact', $2",
                    [no, at_us + delay_us],
                )
            connection.execute(
                "INSERT INTO delay_learnt VALUES ('app', $1, 10, $2, 9000)",
                [T0_US + hour * HOUR_US, delay_us],
            )
        [state] = clock_lines(connection, {"now_us": T0_US + 30 * HOUR_US})
    return state.drift_us
