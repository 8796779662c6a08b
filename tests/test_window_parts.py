"""What the summary says of windows and of their evidence, held against itself and against the verdicts."""

from collections import Counter
from pathlib import Path

import pytest

from collector.pipeline import latest
from collector.records import LedgerSummary, WindowSpend
from tests.helpers import Desk, settled
from tests.helpers import verdicts as current_verdicts
from tests.world import WorldSpec, build

ROUNDING_NANO = 4  # a completion is rounded once for each kind of token


def test_what_is_not_billed_is_split_as_the_verdicts_are(tmp_path: Path) -> None:
    """Without a bill, orphaned and cut short are the estimates of those verdicts, and most of the rest is delivered."""
    config = settled(build(WorldSpec(seed=3, calls=400, bill="none")), tmp_path)
    window = next(one for one in latest(config).windows if (one.window, one.currency) == ("7d", "USD"))
    rows = [row for row in current_verdicts(config) if row["money_row"]]
    for verdict in ("orphaned", "cut_short"):
        lost = [row["orphaned_nano"] for row in rows if row["verdict"] == verdict]
        assert lost
        assert window.parts[verdict] == pytest.approx(sum(lost), abs=ROUNDING_NANO * len(lost))
    assert window.parts["delivered"] > _lost(window) > 0


def _lost(window: WindowSpend) -> int:
    return window.parts["orphaned"] + window.parts["cut_short"]


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> LedgerSummary:
    """What a rough world in two currencies leaves, all settled."""
    return latest(settled(build(WorldSpec.rough(4, calls=600, id_share=0.8)), tmp_path_factory.mktemp("rough")))


@pytest.mark.parametrize("family", ["window_lost_spend", "window_evidence_spend"])
def test_the_loss_by_cause_and_by_evidence_is_the_loss(rough: LedgerSummary, family: str) -> None:
    """Added up over everything but window and currency, both are the best figure, to the last nano-unit."""
    sums: Counter[tuple[str, str]] = Counter()
    for series in rough.families[family]:
        sums[series.labels[0], series.labels[-1]] += int(series.value)
    lost = {(one.window, one.currency): one.best_nano for one in rough.windows}
    assert {key: sums[key] for key in lost} == lost
    assert {currency for _, currency in lost} == {"USD", "EUR"}


@pytest.mark.parametrize(("days", "found"), [(29, {0, 1000 * 2500}), (31, {0}), (33, set())])
def test_a_cause_ends_at_zero(tmp_path: Path, days: int, found: set[int]) -> None:
    """What has left the longest window stands at 0 for two days more, so that a line falls before it ends."""
    desk = Desk(tmp_path)
    desk.started("c", 10)
    desk.ended("c", 10 + 5 / 60, output_tokens_received=1000)
    desk.completion("c", 10 + 10 / 60, seconds=10)
    families = desk.run(days * 24 * 60).ledger.families
    assert {int(one.value) for one in families["window_lost_spend"]} == found


def test_aborts_by_evidence_are_those_of_the_status(rough: LedgerSummary) -> None:
    """The metric by verdict and evidence adds up to what `orphaned status` counts, either way."""
    by_verdict: Counter[str] = Counter()
    by_evidence: Counter[str] = Counter()
    for series in rough.families["evidence_aborts"]:
        by_verdict[series.labels[0]] += int(series.value)
        by_evidence[series.labels[1]] += int(series.value)
    assert (dict(by_verdict), dict(by_evidence)) == (rough.verdicts, rough.evidence)


def test_problems_on_record_are_counted(rough: LedgerSummary) -> None:
    """Every kind of problem of every source, with its count."""
    counted = {series.labels: int(series.value) for series in rough.families["problems"]}
    assert counted == {(one.source, one.kind): one.count for one in rough.problems}
    assert len(counted) > 3


def test_timeouts_that_the_backend_outran(rough: LedgerSummary) -> None:
    """The histogram holds as many timeouts as were orphaned at their first verdict; its buckets only grow."""
    for series in rough.histograms["timeout_overrun_seconds"]:
        counts = [count for _, count in series.buckets]
        assert counts == sorted(counts)
    outran = sum(series.buckets[-1][1] for series in rough.histograms["timeout_overrun_seconds"])
    orphaned = sum(
        int(series.value) for series in rough.families["aborts_total"] if series.labels[3:] == ("timeout", "orphaned")
    )
    assert outran == orphaned > 5
