"""The whole pipeline against worlds that know the truth: verdicts, money, buckets and counts over many seeds.

Every world is small, so that many fit: the failing seed stands in the test's id.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import pytest

from collector.config import Config
from collector.ledger import dialect
from collector.records import instant_us
from tests.helpers import (
    DAY_US,
    HOUR_US,
    NANO,
    PARTS,
    Row,
    buckets,
    looking,
    rows,
    settled,
    source_counts,
    true_counts,
    verdicts,
)
from tests.world import TrueAbort, TrueBucket, World, WorldSpec, build
from tests.world_spec import APP, BACKEND, BILL, EDGE, SECOND_US

CALLS = 400
AbortKey = tuple[str, str, int]
BucketKey = tuple[int, str, str, str, str]

SPECS: dict[str, Callable[[int], WorldSpec]] = {
    "clean": lambda seed: WorldSpec(seed=seed, calls=CALLS, hours=2),
    "rough": lambda seed: WorldSpec.rough(seed, calls=CALLS, hours=2),
    "traces": lambda seed: WorldSpec(seed=seed, calls=CALLS, id_share=0.0, trace_share=1.0),
    "responses": lambda seed: WorldSpec(seed=seed, calls=CALLS, id_share=0.0, response_id_share=1.0),
    "mixed ids": lambda seed: WorldSpec(seed=seed, calls=CALLS, id_share=0.4, trace_share=0.5, response_id_share=0.6),
    "daily": lambda seed: WorldSpec(seed=seed, calls=CALLS, daily=True),
    "two currencies": lambda seed: WorldSpec(seed=seed, calls=CALLS, second_currency="EUR"),
    "no bill": lambda seed: WorldSpec(seed=seed, calls=CALLS, bill="none"),
    "partial": lambda seed: WorldSpec(seed=seed, calls=CALLS, bill="partial"),
    "late": lambda seed: WorldSpec(seed=seed, calls=CALLS, bill="late"),
    "corrected": lambda seed: WorldSpec(seed=seed, calls=CALLS, bill="corrected"),
    "bill ends": lambda seed: WorldSpec(seed=seed, calls=CALLS, bill="partial", bill_reaches=False),
    "no credits": lambda seed: WorldSpec(seed=seed, calls=CALLS, credit_share=0.6, credits="exclude"),
    "credits": lambda seed: WorldSpec(seed=seed, calls=CALLS, credit_share=0.6, fine_cost_share=0.5),
    "skewed": lambda seed: WorldSpec(
        seed=seed,
        calls=CALLS,
        uncounted_share=0.0,
        skew_ms=MappingProxyType({APP: 1500, EDGE: -900, BACKEND: 700}),
    ),
    "one id": lambda seed: WorldSpec(seed=seed, calls=CALLS, abort_share=0.3, retry_share=1.0, same_id_share=1.0),
    "free": lambda seed: WorldSpec(seed=seed, calls=CALLS, cancelled_billed=False, backend_error_share=0.05),
    "unlogged": lambda seed: WorldSpec(seed=seed, calls=CALLS, unlogged_share=0.2, lost_share=0.1),
    "lost ends": lambda seed: WorldSpec(seed=seed, calls=CALLS, lost_ended_share=0.1, kills=2),
    "no process": lambda seed: WorldSpec(seed=seed, calls=CALLS, log_process=False, kills=2),
    "no proxy": lambda seed: WorldSpec(seed=seed, calls=CALLS, proxy_share=0.0),
    "all proxied": lambda seed: WorldSpec(seed=seed, calls=CALLS, proxy_share=1.0, proxy_only_share=0.3),
    "one stream": lambda seed: WorldSpec(seed=seed, calls=CALLS, hours=0, daily=True, second_currency="EUR"),
}
CASES = [
    *(("clean", seed) for seed in range(1, 21)),
    *(("rough", seed) for seed in range(21, 31)),
    *((name, seed) for name in SPECS if name not in {"clean", "rough"} for seed in (101,)),
]


@dataclass(frozen=True)
class Found:
    """A world, and what one run made of it."""

    world: World
    config: Config
    verdicts: list[Row]
    buckets: list[Row]
    shares: list[Row]

    @property
    def by_abort(self) -> dict[AbortKey, Row]:
        """Each verdict by whose it is."""
        return {(row["observer"], row["call_id"], row["started_at_us"]): row for row in self.verdicts}

    @property
    def pairs(self) -> Iterator[tuple[TrueAbort, Row]]:
        """Each true abort whose completion an id tells, with its row."""
        by_abort = self.by_abort
        for abort in self.world.aborts:
            if abort.joined_by != "none":
                yield abort, by_abort[_key(abort)]

    def guessed_buckets(self) -> set[tuple[str, str, int]]:
        """Account, model and period of the work of which no log tells for certain what was delivered."""
        period_us = DAY_US if self.world.spec.daily else HOUR_US
        unsure = [
            (abort.account, abort.model, instant_us(abort.finished_at))
            for abort in self.world.aborts
            if abort.finished_at and not (abort.delivered_is_certain and abort.joined_by != "none")
        ]
        guessed = [
            (row["account"], row["model"], row["finished_at_us"])
            for row in self.verdicts
            if row["completion_id"] and row["evidence"] != "exact"
        ]
        return {(account, model, at_us // period_us * period_us) for account, model, at_us in unsure + guessed}


def _key(abort: TrueAbort) -> AbortKey:
    return abort.observer, abort.call_id, instant_us(abort.started_at)


def _is_open(abort: TrueAbort, row: Row) -> bool:
    """Whether only the clocks can tell if the last token was seen, and they are not good enough for that."""
    if abort.delivered_is_certain or abort.finished_at is None or row["ended_at_us"] is None:
        return False
    return bool(abs(row["ended_at_us"] - instant_us(abort.finished_at)) < SECOND_US)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0].replace(' ', '-')}-seed{case[1]}")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """One run over one whole world."""
    name, seed = request.param
    return _found(build(SPECS[name](seed)), tmp_path_factory.mktemp("world"))


def _found(world: World, directory: Path) -> Found:
    config = settled(world, directory)
    with looking(config) as ledger:
        return Found(world, config, verdicts(ledger), buckets(ledger), rows(ledger, "bucket_share"))


def test_every_abort_has_its_verdict(found: Found) -> None:
    """The aborts that an id joins, and no others, are exact: verdict, reason, completion, money row."""
    exact = {key: row for key, row in found.by_abort.items() if row["evidence"] == "exact"}
    joined = {_key(abort): abort for abort in found.world.aborts if abort.joined_by != "none"}
    assert exact.keys() == joined.keys()
    for key, abort in joined.items():
        row = exact[key]
        assert (row["reason"], row["completion_id"], row["money_row"]) == (
            abort.reason, abort.completion_id, abort.on_money_row,
        ), abort  # fmt: skip
        if _is_open(abort, row) and abort.verdict in {"delivered", "orphaned"}:
            assert row["verdict"] in {"delivered", "orphaned"}, abort
        else:
            assert row["verdict"] == abort.verdict, abort


def test_what_no_id_joins_is_unmatched_or_a_guess(found: Found) -> None:
    """Without a common id an abort has no completion, or a probable one; every abort has one row."""
    rest = {key: row for key, row in found.by_abort.items() if row["evidence"] != "exact"}
    assert len(found.by_abort) == len(found.verdicts)
    for row in rest.values():
        assert row["evidence"] == ("none" if row["completion_id"] is None else "probable"), row
        assert (row["verdict"] == "unmatched") == (row["completion_id"] is None), row
    for abort in found.world.aborts:
        if abort.joined_by == "none" and abort.reason != "error":
            assert rest[_key(abort)]["reason"] == abort.reason


def test_every_abort_tells_whose_it_is(found: Found) -> None:
    """Account, model, service, stream, times, currency and basis are those of the call."""
    for abort, row in found.pairs:
        told = (
            row["provider"], row["account"], row["model"], row["service"], row["stream"], row["request_id"],
            row["ended_at_us"], row["finished_at_us"],
        )  # fmt: skip
        ended_us, finished_us = (None if at is None else instant_us(at) for at in (abort.ended_at, abort.finished_at))
        assert told == (
            abort.provider, abort.account, abort.model, abort.service, abort.stream, abort.request_id,
            ended_us,
            finished_us,
        ), abort  # fmt: skip
        assert row["match_probability"] == 1


def test_cost_and_lost_money_are_right(found: Found) -> None:
    """Cost and lost part are the true ones, each usage kind rounded to a whole nano-unit at most twice."""
    for abort, row in found.pairs:
        rounded = _rounded(found, abort)
        assert abs(row["cost_nano"] - abort.cost * NANO) < max(rounded, 1), (abort, row)
        if abort.delivered_is_certain:
            assert abs(row["orphaned_nano"] - abort.lost * NANO) < max(2 * rounded, 1), (abort, row)
        if row["cost_nano"]:
            assert (row["currency"], row["basis"]) == (abort.currency, abort.basis), (abort, row)


def _rounded(found: Found, abort: TrueAbort) -> int:
    """How many amounts of the abort were rounded: none where every token costs whole nano-units."""
    spec = found.world.spec
    whole = not (spec.credit_share or spec.fine_cost_share or spec.bill in {"corrected", "partial"})
    whole = whole and not spec.unlogged_share
    return 0 if whole or abort.leaves is None else sum(map(bool, _tokens(abort)))


def _tokens(abort: TrueAbort) -> tuple[int, ...]:
    """Tokens by usage kind."""
    leaves = abort.leaves
    if leaves is None:
        return ()
    return leaves.input, leaves.cached_input, leaves.output, leaves.thinking


def test_bounds_hold_the_truth(found: Found) -> None:
    """Low <= best <= high; where what was delivered is certain, the bounds are the amount itself."""
    for abort, row in found.pairs:
        if row["orphaned_nano"] is None:
            continue
        low, best, high = row["orphaned_low_nano"], row["orphaned_nano"], row["orphaned_high_nano"]
        assert 0 <= low <= best <= high
        assert row["avoidable_nano"] is None or 0 <= row["avoidable_nano"] <= best
        if abort.delivered_is_certain and not _under_billed(found, abort):
            assert low == high, (abort, row)


def _under_billed(found: Found, abort: TrueAbort) -> bool:
    return any(share["under_billed"] for share in found.shares if share["completion_id"] == abort.completion_id)


def test_avoidable_money_is_what_came_after_the_abort(found: Found) -> None:
    """Avoidable is what came after the abort, counted from the receipt where no first byte is known."""
    if found.world.spec.skew_ms:
        pytest.skip("the truth's clock is not the observers' clocks")
    for abort, row in found.pairs:
        if abort.observer != APP or not abort.on_money_row or not abort.delivered_is_certain:
            continue
        if abort.avoidable_from_receipt is not None:
            # A client that calls an answer failed does so one way of the network later than the truth has it.
            slack_nano = abort.cost * NANO / 100 if abort.reason == "error" else 4
            assert abs(row["avoidable_nano"] - abort.avoidable_from_receipt * NANO) <= slack_nano, (
                abort,
                row,
            )


def test_buckets_are_the_true_ones(found: Found) -> None:
    """Every bucket of the bill and of the logs is there, with its usage, its cost and its five parts."""
    ours = {_bucket_key(row): row for row in found.buckets if row["model"]}
    if found.world.spec.bill == "none":
        pytest.skip("there are no buckets of a bill")
    theirs = {_true_key(bucket): bucket for bucket in found.world.buckets}
    assert {key for key, bucket in theirs.items() if bucket.billed_usage or bucket.billed_cost} <= ours.keys()
    assert ours.keys() <= theirs.keys()
    shares = Counter(_bucket_key(share) for share in found.shares)
    guessed = found.guessed_buckets()
    for key, row in ours.items():
        bucket = theirs[key]
        assert row["settled"] == bucket.settled, bucket
        assert (row["billed_nano"] or 0) == bucket.billed_cost * NANO, bucket
        assert (row["billed_micro"] or 0) == bucket.billed_usage * 10**6, bucket
        assert (row["logged_micro"] or 0) == bucket.logged_usage * 10**6, bucket
        whole = (row["account"], row["model"], row["usage_start_us"]) not in guessed
        _parts_agree(row, bucket, PARTS if whole else ("failed_nano", "unattributed_nano"), 2 * shares[key] + 1)


def _parts_agree(row: Row, bucket: TrueBucket, parts: Iterable[str], slack_nano: int) -> None:
    """Each part is the true one, but for the rounding of the shares in it."""
    truth = {
        "delivered_nano": bucket.delivered, "orphaned_nano": bucket.orphaned,
        "cut_short_nano": bucket.cut_short,
        "failed_nano": bucket.failed, "unattributed_nano": bucket.unattributed,
    }  # fmt: skip
    for part in parts:
        assert abs((row[part] or 0) - truth[part] * NANO) <= slack_nano, (part, row, bucket)


def _bucket_key(row: Row) -> BucketKey:
    return row["usage_start_us"], row["account"], row["model"], row["usage_kind"], row["currency"]


def _true_key(bucket: TrueBucket) -> BucketKey:
    return instant_us(bucket.usage_start), bucket.account, bucket.model, bucket.usage, bucket.currency


def test_identity_holds_in_every_settled_bucket(found: Found) -> None:
    """Billed = delivered + orphaned + cut_short + failed + unattributed, to the last nano-unit."""
    for row in found.buckets:
        if row["billed_nano"] is not None:
            assert row["billed_nano"] == sum(row[part] for part in PARTS), row
        if row["billed_nano"] is not None and not row["settled"]:
            assert row["billed_nano"] == row["unattributed_nano"], row


def test_billed_cost_adds_up_to_the_bill(found: Found) -> None:
    """All buckets together are the whole bill, tax and other services included, in each currency."""
    sums: Counter[str] = Counter()
    for row in found.buckets:
        if row["billed_nano"] is not None:
            sums[row["currency"]] += row["billed_nano"]
    expected = {c: totals.billed * NANO for c, totals in found.world.totals.items() if totals.billed}
    assert {currency: Fraction(nano) for currency, nano in sums.items()} == expected


@pytest.mark.parametrize("source", [APP, EDGE, BACKEND, BILL])
def test_every_line_has_its_fate(found: Found, source: str) -> None:
    """New, duplicate, problem and ignored lines are counted as the world knows them."""
    assert source_counts(found.config, source) == true_counts(found.world, source)


def test_estimates_are_usage_times_price(tmp_path: Path) -> None:
    """Without any bill every amount is estimated: tokens times the dated price, to the nano-unit."""
    world = build(replace(SPECS["no bill"](7), uncounted_share=0.0))
    found = _found(world, tmp_path)
    assert any(row["cost_nano"] for row in found.verdicts)
    for abort, row in found.pairs:
        if abort.leaves is not None and abort.on_money_row:
            model = world.spec.model(abort.account, abort.model)
            kinds = ("input", "cached_input", "output", "thinking")
            paid = abort.cost > 0
            price = sum(abort.leaves.of(kind) * model.price_nano(kind) for kind in kinds)
            assert row["cost_nano"] == (price if paid else 0)
            assert row["basis"] == "estimated"
    assert not any(row["billed_nano"] for row in found.buckets)


def test_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger of one thread, as these are, and one of four end in the same figures."""
    world = build(SPECS["rough"](21))
    one = _found(world, tmp_path / "one")
    monkeypatch.setattr(dialect, "SETTINGS", (*dialect.SETTINGS, "SET threads = 4"))
    four = _found(world, tmp_path / "four")
    assert (four.verdicts, four.buckets) == (one.verdicts, one.buckets)
