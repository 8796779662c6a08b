"""The simulator itself: repeatable, true to its own truth, and as messy as it claims to be."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.world import Totals, TrueAbort, World, WorldSpec, build, from_trace
from tests.world_spec import HOUR_US, USAGE_KINDS

SEEDS = (1, 2, 3)
VERDICTS = {"failed", "cut_short", "delivered", "orphaned", "unmatched"}
REASONS = {"interrupt", "cancelled", "timeout", "disconnect", "error", "vanished"}
REQUIRED = {
    "app": {"event", "call_id", "at"},
    "edge": {"msec", "request_id", "request_uri", "status", "request_time", "request_completion"},
    "backend": {"insertId", "logName", "timestamp", "httpRequest", "jsonPayload", "resource"},
    "bill": {"cost", "usage", "credits", "sku", "export_time", "usage_start_time", "usage_end_time"},
}


@pytest.fixture(scope="module", params=SEEDS)
def rough(request: pytest.FixtureRequest) -> World:
    """A world with every fault switched on."""
    return build(WorldSpec.rough(request.param, calls=1200))


@pytest.fixture(scope="module")
def clean() -> World:
    """A world with the defaults."""
    return build(WorldSpec(seed=1))


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def _sum(amounts: Iterable[Fraction]) -> Fraction:
    return sum(amounts, Fraction(0))


def _record(data: bytes) -> dict[str, Any] | None:
    """The line as strict JSON, None for what is no object of finite numbers."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        value = json.loads(data.decode("utf-8"), parse_constant=refuse)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _money_rows(world: World) -> list[TrueAbort]:
    return [abort for abort in world.aborts if abort.on_money_row]


# -- repeatable ----------------------------------------------------------------------------------------------


def test_same_spec_writes_the_same_bytes(tmp_path: Path) -> None:
    """A world is a pure function of its spec, and of its seed in earnest."""
    for name in ("one", "two"):
        build(WorldSpec.rough(5, calls=300)).write(tmp_path / name)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")
    assert build(WorldSpec(seed=1, calls=50)).calls != build(WorldSpec(seed=2, calls=50)).calls


def test_faults_of_records_leave_the_traffic_alone() -> None:
    """Doubling and garbling lines changes no call and no abort."""
    plain = build(WorldSpec(seed=4, calls=300))
    messy = build(WorldSpec(seed=4, calls=300, doubled_share=0.1, garbled_share=0.1, late_share=0.1))
    assert plain.aborts == messy.aborts


def test_files_grow_into_the_same_bytes(tmp_path: Path) -> None:
    """Slices, torn lines included, end as the world written at once; no byte is ever taken back."""
    world = build(WorldSpec.rough(6, calls=300))
    world.write(tmp_path / "once")
    before: dict[str, bytes] = {}
    for upto, torn in ((0.2, True), (0.5, False), (0.7, True), (0.99, True), (1.0, False)):
        world.write(tmp_path / "slices", upto, torn=torn)
        now = _contents(tmp_path / "slices")
        assert all(now[name].startswith(data) for name, data in before.items())
        before = now
    assert before == _contents(tmp_path / "once")


def test_a_torn_line_has_no_newline_and_does_not_parse(tmp_path: Path) -> None:
    """What is torn is the unterminated tail of a file."""
    build(WorldSpec(seed=6, calls=300)).write(tmp_path, 0.4, torn=True)
    tails = [data.rpartition(b"\n")[2] for name, data in _contents(tmp_path).items() if name.endswith(".jsonl")]
    assert any(tails)
    assert all(_record(tail) is None for tail in tails if tail)


def test_logs_come_before_the_bill(tmp_path: Path) -> None:
    """The slice `logs` holds everything but the bill."""
    clean_world = build(WorldSpec(seed=1, calls=100))
    clean_world.write(tmp_path, "logs")
    assert not (tmp_path / "billing").exists()
    assert (tmp_path / "backend").is_dir()


# -- true to itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [
    {}, {"bill": "full"}, {"bill": "partial"}, {"bill": "late"}, {"bill_by": "start"}, {"daily": True},
    {"credits": "exclude"}, {"fine_cost_share": 0.5}, {"cancelled_billed": False, "error_billed": False},
], ids=str)  # fmt: skip
def test_every_settled_bucket_adds_up(changes: dict[str, Any]) -> None:
    """The five parts of a bucket are its bill, as fractions, and no part is below zero."""
    world = build(WorldSpec.rough(2, calls=600, **changes))
    assert any(bucket.settled for bucket in world.buckets)
    for b in world.buckets:
        parts = (b.delivered, b.orphaned, b.cut_short, b.failed, b.unattributed)
        assert b.billed_cost == sum(parts)
        assert min(parts) >= 0
        assert b.settled or b.unattributed == b.billed_cost


def test_lost_money_of_the_aborts_is_that_of_the_buckets(rough: World) -> None:
    """Where all is settled, what the aborts lost is what the buckets call orphaned and cut short."""
    assert all(bucket.settled for bucket in rough.buckets)
    for total in rough.totals.values():
        # A completion cancelled without an abort in any log is cut short in its bucket, and no row's loss.
        assert total.lost <= total.orphaned + total.cut_short
    watched = build(WorldSpec(seed=rough.spec.seed, calls=600))
    total = watched.totals["USD"]
    assert total.lost == total.orphaned + total.cut_short > 0


def test_totals_add_up_to_the_bill(rough: World) -> None:
    """The parts and the other rows are the bill, per currency."""
    assert set(rough.totals) == {"EUR", "USD"}
    for currency, total in rough.totals.items():
        rows = [row for row in rough.rows if row.key.currency == currency]
        assert total.billed == Fraction(sum(row.cost_nano + row.credit_nano for row in rows), 10**9)
        assert total.billed == _all_parts(total)


def _all_parts(total: Totals) -> Fraction:
    return total.delivered + total.orphaned + total.cut_short + total.failed + total.unattributed + total.other


def test_a_plain_bill_prices_each_token(clean: World) -> None:
    """Without credits and corrections a completion costs usage times price, exactly."""
    for abort in _money_rows(clean):
        work = next((work for work in clean.works if work.completion_id == abort.completion_id), None)
        if work is None or not work.billed:
            assert abort.cost == 0
            continue
        model = clean.spec.model(work.account, work.model)
        nano = sum(work.usage.of(kind) * model.price_nano(kind) for kind in USAGE_KINDS)
        assert abort.cost == Fraction(nano, 10**9)


def test_unlogged_work_is_what_is_unattributed() -> None:
    """With a plain bill, work that no log shows leaves exactly its own cost unattributed."""
    world = build(WorldSpec(seed=3, calls=400, unlogged_share=0.2, lost_share=0.05))
    nano = sum(
        work.usage.of(kind) * world.spec.model(work.account, work.model).price_nano(kind)
        for work in world.works if work.billed and not work.logged for kind in USAGE_KINDS
    )  # fmt: skip
    assert world.totals["USD"].unattributed == Fraction(nano, 10**9) > 0


def test_money_stands_on_one_row_of_an_attempt(rough: World) -> None:
    """Two observers of one abort give two rows, one completion, and money once: on the client's."""
    shared = Counter(abort.completion_id for abort in rough.aborts if abort.completion_id)
    assert 2 in shared.values()
    for completion_id, count in shared.items():
        rows = [abort for abort in rough.aborts if abort.completion_id == completion_id]
        assert [row.observer for row in rows if row.on_money_row] == ["app" if count == 2 else rows[0].observer]
        assert all(row.cost == row.lost == row.avoidable == 0 for row in rows if not row.on_money_row)


def test_no_more_is_lost_than_it_cost_nor_avoided_than_was_lost(rough: World) -> None:
    """It holds that avoidable <= lost <= cost, and nothing is lost by verdicts that lose nothing."""
    for abort in _money_rows(rough):
        assert 0 <= abort.avoidable <= abort.lost <= abort.cost
        assert (abort.avoidable_from_receipt or 0) <= abort.avoidable
        assert abort.lost == 0 or abort.verdict in {"orphaned", "cut_short"}
        if abort.leaves is not None and abort.delivered_tokens is not None:
            assert abort.delivered_tokens <= abort.leaves.output


def test_counted_tokens_are_what_the_client_logged(clean: World) -> None:
    """Where the evidence is `tokens`, the ended line and the truth agree."""
    logged = {
        record["call_id"]: record
        for line in clean.lines if line.source == "app" and (record := _record(line.data) or {})
        if record["event"] == "ended"
    }  # fmt: skip
    counted = [a for a in clean.aborts if a.observer == "app" and a.delivered_by == "tokens" and a.leaves]
    assert counted
    assert all(logged[a.call_id]["output_tokens_received"] == a.delivered_tokens for a in counted)


def test_a_vanished_process_kept_nothing(rough: World) -> None:
    """A started line without an ended one: no instant, nothing delivered, input and output lost."""
    gone = [a for a in rough.aborts if a.reason == "vanished" and a.verdict == "orphaned" and a.on_money_row]
    assert gone
    assert all(a.ended_at is None and a.delivered_tokens == 0 and a.lost == a.cost for a in gone)


def test_lost_ended_lines_are_told_by_the_process() -> None:
    """With processes in the log a lost line is no abort; without, it looks like one."""
    spec = WorldSpec(seed=3, calls=600, lost_ended_share=0.1, vanish_share=0.0)
    told = build(spec)
    assert [c for c in told.calls if c.client and c.client.outcome and not c.client.ended_recorded]
    assert not [a for a in told.aborts if a.reason == "vanished"]
    assert [a for a in build(replace(spec, log_process=False)).aborts if a.reason == "vanished"]


def test_a_killed_process_leaves_all_its_calls_open() -> None:
    """Calls under way when a process is killed vanish together, and it writes nothing afterwards."""
    world = build(WorldSpec(seed=2, calls=900, kills=4, vanish_share=0.0))
    open_calls = [call for call in world.calls if call.client and call.client.outcome is None]
    assert max(Counter(call.process for call in open_calls).values()) > 1
    for call in open_calls:
        assert call.left_us is not None
        later = [c for c in world.calls if c.process == call.process and c.started_us > call.left_us]
        assert not later


# -- as messy as it claims -----------------------------------------------------------------------------------


def test_every_verdict_and_reason_occurs() -> None:
    """A few seeds show every way to leave and every end of it."""
    aborts = [abort for seed in SEEDS for abort in build(WorldSpec.rough(seed, calls=1200)).aborts]
    assert {abort.verdict for abort in aborts} == VERDICTS
    assert {abort.reason for abort in aborts} == REASONS
    assert {abort.delivered_by for abort in aborts} == {"tokens", "bytes", "time", "none"}


def test_every_line_is_counted(rough: World, tmp_path: Path) -> None:
    """The counts of the sources, of the files and of the files as written are the same."""
    rough.write(tmp_path)
    written = {n: d.count(b"\n") for n, d in _contents(tmp_path).items() if not n.endswith(".yaml")}
    assert written == Counter(line.file for line in rough.lines)
    for source in REQUIRED:
        counts = rough.counts(source)
        assert min(counts.records, counts.duplicates, counts.problems) > 0
        files = {line.file for line in rough.lines if line.source == source}
        assert counts.problems == sum(rough.counts(file=file).problems for file in files)


def test_records_parse_and_duplicates_repeat_them(rough: World) -> None:
    """What counts as a record has its keys; a duplicate is a record once more, byte for byte."""
    for source, keys in REQUIRED.items():
        mine = [line for line in rough.lines if line.source == source]
        records = {line.data for line in mine if line.outcome == "record"}
        assert all(keys <= set(_record(data) or ()) for data in records)
        assert all(line.data in records for line in mine if line.outcome == "duplicate")


def test_a_problem_is_never_a_good_line(rough: World) -> None:
    """A bad line either is no JSON object, or is like no record: a conflict, or a value that cannot be."""
    records = {line.data for line in rough.lines if line.outcome == "record"}
    problems = [line.data for line in rough.lines if line.outcome == "problem"]
    assert any(_record(data) is None for data in problems)
    assert any(_record(data) is not None for data in problems)
    assert not records & set(problems)


def test_calls_lie_across_full_hours(clean: World) -> None:
    """Some work begins in one hour and ends in the next, and the bill can be told to go by either."""
    across = [w for w in clean.works if w.received_us // HOUR_US != w.finished_us // HOUR_US]
    assert across
    by_start = build(replace(clean.spec, bill_by="start"))
    assert by_start.totals["USD"].lost == clean.totals["USD"].lost
    assert [b.billed_usage for b in by_start.buckets] != [b.billed_usage for b in clean.buckets]


def test_status_499_misses_most_aborts(clean: World) -> None:
    """The proxy logs 499 before the first byte only; a stream that is left midway is a 200 without OK."""
    left = [call.proxy for call in clean.calls if call.proxy and call.proxy.reason]
    assert {(view.status, view.whole) for view in left} == {(499, False), (200, False), (504, True)}
    hidden = [
        c for c in clean.calls if c.proxy and c.proxy.reason is None and c.client and c.client.outcome == "aborted"
    ]
    assert hidden  # proxy_ignore_client_abort


def test_retries_name_the_call_and_may_share_its_id(clean: World) -> None:
    """A retry is another call; some keep the request_id, and time still tells them apart."""
    by_id = {call.call_id: call for call in clean.calls}
    retries = [call for call in clean.calls if call.retry_of]
    firsts = [by_id[call.retry_of] for call in retries if call.retry_of]
    assert any(a.ids.request == b.ids.request for a, b in zip(firsts, retries, strict=True))
    assert all(a.started_us < b.started_us for a, b in zip(firsts, retries, strict=True))


def test_ids_join_as_often_as_asked() -> None:
    """`id_share`, `trace_share` and `response_id_share` share out the calls between the ids and none."""
    spec = WorldSpec(seed=2, calls=1000, id_share=0.5, trace_share=0.5, response_id_share=0.5)
    joined = Counter(call.joined_by for call in build(spec).calls)
    assert joined["request_id"] == pytest.approx(500, abs=60)
    assert joined["trace"] == pytest.approx(250, abs=50)
    assert joined["response_id"] == pytest.approx(120, abs=40)
    assert {call.joined_by for call in build(WorldSpec(seed=2, calls=300)).calls if call.work} == {"request_id"}


def test_the_backend_log_holds_the_id_that_joins(rough: World) -> None:
    """Reading the files alone, every completion said to be joined by request_id is found under that id."""
    payloads = [
        record["jsonPayload"]
        for line in rough.lines if line.source == "backend" and line.outcome == "record"
        if (record := _record(line.data))
    ]  # fmt: skip
    found = {(payload.get("request_id"), payload["completion_id"]) for payload in payloads}
    edge_ids = {call.ids.request: call.ids.proxy or call.ids.request for call in rough.calls}
    joined = [a for a in rough.aborts if a.joined_by == "request_id"]
    assert joined
    for abort in joined:
        ids = {abort.request_id, edge_ids.get(abort.request_id)}
        assert any((request_id, abort.completion_id) in found for request_id in ids) or _is_retry(rough, abort)


def _is_retry(world: World, abort: TrueAbort) -> bool:
    """Whether its client id was used more than once, so that nginx's own id for it is not unique."""
    return sum(call.ids.request == abort.request_id for call in world.calls) > 1


def test_a_partial_bill_that_goes_no_further_is_not_settled() -> None:
    """Missing rows and no later ones: unsettled buckets, and estimates for the aborts in them."""
    world = build(WorldSpec(seed=1, calls=600, bill="partial", bill_reaches=False))
    assert {bucket.settled for bucket in world.buckets} == {True, False}
    assert {abort.basis for abort in world.aborts} == {"billed", "estimated"}


def test_without_a_bill_everything_is_estimated() -> None:
    """`bill: none` still has a truth: usage times price."""
    world = build(WorldSpec(seed=1, calls=300, bill="none"))
    assert not world.rows
    assert world.totals["USD"].lost > 0
    assert not any(bucket.settled or bucket.billed_cost for bucket in world.buckets)
    assert all(bucket.estimated > 0 for bucket in world.buckets)


def test_a_corrected_bill_ends_where_it_should(rough: World) -> None:
    """Negated and billed again: usage adds up to the work that was done, whatever stood there in between."""
    assert any(row.amount < 0 for row in rough.rows)
    assert any(row.cost_type == "adjustment" for row in rough.rows)
    used = sum(w.usage.of(kind) for w in rough.works if w.billed for kind in USAGE_KINDS)
    assert sum(bucket.billed_usage for bucket in rough.buckets) == used


def test_all_is_over_by_as_of(rough: World) -> None:
    """Lines arrive in order; `as_of` lies after the last of them and 72 hours after the last period."""
    assert all(a.arrives_us <= b.arrives_us for a, b in pairwise(rough.lines))
    assert max(line.arrives_us for line in rough.lines) < rough.as_of.timestamp() * 1_000_000
    assert all((rough.as_of - bucket.usage_end).total_seconds() >= 72 * 3600 for bucket in rough.buckets)


def test_the_config_names_every_model_and_source(rough: World, tmp_path: Path) -> None:
    """The config is YAML whose prices cover the traffic and whose paths match the files."""
    config = yaml.safe_load(rough.write(tmp_path).read_text(encoding="utf-8"))
    assert {price["model"] for price in config["prices"]} >= {call.model for call in rough.calls}
    matched = {path for source in config["sources"] for path in tmp_path.glob(source["path"])}
    assert len(matched) == len({line.file for line in rough.lines})


def test_a_trace_gives_arrivals_and_sizes(tmp_path: Path) -> None:
    """Arrivals keep their distances, and tokens are those of the trace."""
    trace = tmp_path / "trace.csv"
    rows = ["2023-11-16 18:17:03.9799600,4808,10", "2023-11-16 18:17:05.9799600,110,27"]
    trace.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\n", encoding="utf-8")
    world = from_trace(trace, WorldSpec(seed=1, abort_share=0.0, vanish_share=0.0, backend_error_share=0.0))
    first, second = (call for call in world.calls if call.retry_of is None)
    assert second.started_us - first.started_us == 2_000_000
    assert first.started_us == world.spec.start_us
    assert (first.input_tokens, second.input_tokens) == (4808, 110)
    assert [work.usage.output for work in world.works] == [10, 27]
