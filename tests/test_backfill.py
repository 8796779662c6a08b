"""`orphaned backfill`: what a real Prometheus has after loading it is what the exporter showed at that instant."""

import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from collector.config import Config, load
from collector.exporters import backfill
from collector.exporters.catalogue import BY_NAME, FAMILIES, PREFIX
from collector.exporters.metrics import encode_text
from collector.pipeline import latest, reading, run_once
from collector.problems import UsageError
from collector.records import instant_us
from tests import past_prometheus
from tests.helpers import DAY_US, HOUR_US, MINUTE_US, T0_US, Desk, rows
from tests.past_prometheus import Answer, PastPrometheus
from tests.test_cli import orphaned
from tests.world import World, WorldSpec, build
from tests.world_spec import moment

STEP_US = 20 * MINUTE_US
SPEND = f"{PREFIX}recognized_spend_total"
COUNTED = tuple(family for family in FAMILIES if family.kind != "gauge")


@dataclass(frozen=True)
class Past:
    """A world that was read in several runs, what was written of its past, and when."""

    world: World
    config: Config
    at_us: list[int]
    text: bytes


def written(config: Config, now_us: int, **besides: str) -> bytes:
    """The whole past as of `now_us`."""
    sink = io.BytesIO()
    with reading(config) as (connection, _):
        backfill.write(connection, sink, backfill.grid(now_us=now_us, step_us=STEP_US), besides=besides)
    return sink.getvalue()


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """A rough world in two currencies, read four times: after 30, 60 and 90 % of its lines, and when all is settled."""
    world = build(WorldSpec.rough(5, calls=250, hours=3, second_currency="EUR"))
    directory = tmp_path_factory.mktemp("past")
    at_us = [world.lines[len(world.lines) * tenths // 10].arrives_us + 1 for tenths in (3, 6, 9)]
    at_us.append(instant_us(world.as_of))
    for upto_us in at_us:
        config = load(world.write(directory, moment(upto_us)))
        run_once(config, now_us=upto_us)
    return Past(world, config, at_us, written(config, at_us[-1] + 4 * HOUR_US))


@pytest.fixture(scope="module")
def server(past: Past, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PastPrometheus]:
    """A Prometheus that has loaded it twice."""
    folder = tmp_path_factory.mktemp("prometheus")
    file = folder / "past.om"
    file.write_bytes(past.text)
    for _ in range(2):
        past_prometheus.load(file, folder / "blocks")
    with past_prometheus.serving(folder / "blocks", folder) as running:
        yield running


def shown(config: Config, at_us: int) -> Answer:
    """Every counter and histogram that `orphaned metrics --as-of` shows at an instant, but for zeros."""
    text = encode_text(latest(config, as_of_us=at_us)).decode()
    return {
        tuple(sorted({"__name__": sample.name, **sample.labels}.items())): sample.value
        for family in parse_text(text)
        if family.type in {"counter", "histogram"}
        for sample in family.samples
        if sample.value
    }


def instants(past: Past) -> list[int]:
    """An instant of the grid in the middle of each time between two runs, and one after the last."""
    ends = [*past.at_us, past.at_us[-1] + HOUR_US]
    return [(start + end) // 2 // STEP_US * STEP_US for start, end in pairwise(ends) if end - start > 2 * STEP_US]


def test_prometheus_has_what_the_exporter_showed(past: Past, server: PastPrometheus) -> None:
    """At instants between the runs, every series of a Prometheus that loaded it is that of `metrics --as-of`."""
    assert len(instants(past)) >= 3
    for at_us in instants(past):
        found = {key: value for key, value in server.ask(f'{{__name__=~"{PREFIX}.+"}}', at_us).items() if value}
        assert found == shown(past.config, at_us)
        assert len(found) > 100


def test_money_is_what_the_world_lost(past: Past, server: PastPrometheus) -> None:
    """At the end, recognized + up - down is the lost part of the current verdicts, in each currency."""
    plus = f'sum by (currency) ({{__name__=~"{PREFIX}(recognized_spend|spend_corrected_up)_total"}})'
    minus = f"sum by (currency) ({PREFIX}spend_corrected_down_total)"
    net = f"{plus} - ({minus} or {plus} * 0)"
    found = server.ask(net, (past.at_us[-1] + HOUR_US - 1) // STEP_US * STEP_US)
    for currency in past.world.totals:
        lost = sum(
            row["orphaned_nano"] or 0
            for row in rows(past.config, "verdict_current")
            if row["currency"] == currency and row["verdict"] in {"orphaned", "cut_short"}
        )
        assert lost
        assert found[("currency", currency),] == pytest.approx(lost / 1e9, rel=1e-9)


def test_the_first_run_tells_when_it_happened(past: Past, server: PastPrometheus) -> None:
    """Before the first run, spend stands as of the instants when the completions finished that it found."""
    first = past.at_us[0]
    found_first = rows(past.config, "verdict_current", as_of_us=first)
    finished = sorted(row["finished_at_us"] for row in found_first if row["orphaned_nano"])
    assert len(finished) > 5
    for at_us in (finished[0] // STEP_US * STEP_US, (finished[0] + first) // 2 // STEP_US * STEP_US):
        there = [row for row in found_first if row["orphaned_nano"] and row["finished_at_us"] <= at_us]
        nano = sum(row["orphaned_nano"] for row in there)
        told = server.ask(f"sum({SPEND})", at_us)
        assert sum(told.values()) == pytest.approx(nano / 1e9, abs=1e-12)


def test_increase_sees_the_first_abort(past: Past, server: PastPrometheus) -> None:
    """Series of before the first run begin at 0, so that increase() counts what they rise to."""
    at_us = past.at_us[0] // STEP_US * STEP_US
    count = sum(server.ask(f"sum({PREFIX}aborts_total)", at_us).values())
    assert count > 5
    day = f"{PREFIX}aborts_total[1d]"
    rise = server.ask(f"sum(max_over_time({day}) - min_over_time({day}))", at_us)
    assert sum(rise.values()) == count


def test_loading_twice_changes_nothing(past: Past, server: PastPrometheus) -> None:
    """The fixture loaded the file twice, and every line of it is there once."""
    at_us = past.at_us[-1] + HOUR_US
    for name in (SPEND, f"{PREFIX}overrun_seconds_bucket"):
        lines = [line for line in past.text.decode().splitlines() if line.startswith(f"{name}{{")]
        before = sum(int(line.rsplit(" ", 1)[1]) * 1_000_000 <= at_us for line in lines)
        assert sum(server.ask(f"sum(count_over_time({name}[100d]))", at_us).values()) == before


def test_a_repeat_writes_the_same(past: Past) -> None:
    """A later file has every line of an earlier one, and more."""
    earlier, later = (
        set(written(past.config, now_us).splitlines()) for now_us in (past.at_us[-1], past.at_us[-1] + DAY_US)
    )
    assert earlier < later
    assert written(past.config, past.at_us[-1] + 4 * HOUR_US) == past.text


def test_a_later_run_leaves_the_past_alone(tmp_path: Path) -> None:
    """What a run finds later does not change a sample of before that run."""
    desk = Desk(tmp_path / "desk")
    _lost(desk, "c1", 0)
    desk.run(5)
    before = set(written(desk.config, _now(8 * 60)).splitlines())
    _lost(desk, "c2", 1)
    desk.bill("Output", 0, 4000, "0.03")
    desk.run(9 * 60)
    assert before <= set(written(desk.config, _now(20 * 60)).splitlines())


def _lost(desk: Desk, call_id: str, minute: float) -> None:
    """One lost call."""
    desk.started(call_id, minute)
    desk.ended(call_id, minute + 1)
    desk.completion(call_id, minute + 2)


def _now(minute: float) -> int:
    """So many minutes after the desk's first instant."""
    return T0_US + round(minute * MINUTE_US)


def test_names_and_labels_are_those_of_the_catalogue(past: Past) -> None:
    """The strict parser reads what stands at one instant: every family in one piece, with its own labels.

    At one, because prometheus_client 0.26 takes a histogram's second instant for repeats of its first.
    """
    at = past.at_us[-1] // STEP_US * STEP_US // 1_000_000
    lines = past.text.decode().splitlines(keepends=True)
    seen = {}
    text = "".join(one for one in lines if one.startswith("#") or one.endswith(f" {at}\n"))
    for family in parse_openmetrics(text):  # type: ignore[no-untyped-call]
        seen[family.name.removeprefix(PREFIX)] = {tuple(sample.labels) for sample in family.samples}
    assert set(seen) == {family.name.removesuffix("_total") for family in COUNTED}
    for name, labels in seen.items():
        wanted = (BY_NAME.get(name) or BY_NAME[f"{name}_total"]).labels
        assert {tuple(one for one in names if one != "le") for names in labels} <= {wanted}
    assert sum(map(bool, seen.values())) >= len(seen) - 1


def test_instants_of_a_series_are_in_order(past: Past) -> None:
    """Each series is one piece, its instants rise by one step, and all are multiples of it."""
    found: dict[str, list[int]] = {}
    for line in past.text.decode().splitlines():
        if not line.startswith("#"):
            series, _, at = line.rsplit(" ", 2)
            found.setdefault(series, []).append(int(at) * 1_000_000)
    assert len(found) > 100
    for at_us in found.values():
        assert at_us == list(range(at_us[0], at_us[-1] + 1, STEP_US))
        assert at_us[0] % STEP_US == 0


def test_promtool_takes_every_sample(past: Past, tmp_path: Path) -> None:
    """It leaves out samples that come out of order without a word: from ours it takes all."""
    heads = past.text.decode().splitlines()[:2]
    lines = [line for line in past.text.decode().splitlines() if line.startswith(f"{SPEND}{{")][:40]
    for name, body in {"ours": lines, "backwards": lines[::-1]}.items():
        file = tmp_path / name
        file.write_text("\n".join([*heads, *body, "# EOF", ""]), encoding="utf-8")
        blocks = past_prometheus.load(file, tmp_path / f"{name}-blocks").splitlines()[1:]
        assert (sum(int(row.split()[4]) for row in blocks) == len(lines)) == (name == "ours")


def test_promtool_refuses_a_file_that_was_cut_off(past: Past, tmp_path: Path) -> None:
    """Without its last line a file is not loaded at all: the other tests mean something."""
    file = tmp_path / "cut.om"
    file.write_bytes(past.text.removesuffix(b"# EOF\n"))
    with pytest.raises(AssertionError, match="does not end with # EOF"):
        past_prometheus.load(file, tmp_path / "blocks")


@given(
    now_us=st.integers(10**15, 2 * 10**15), to_us=st.none() | st.integers(0, 2 * 10**15),
    step_s=st.integers(1, 86_400),
)  # fmt: skip
def test_never_the_last_three_hours(now_us: int, to_us: int | None, step_s: int) -> None:
    """Whatever is asked for, no instant lies within the last three hours, or at or after --to."""
    instants = backfill.grid(now_us=now_us, step_us=step_s * 1_000_000, to_us=to_us)
    assert instants.end_us < now_us - 3 * HOUR_US
    assert to_us is None or instants.end_us < to_us


def test_span_cuts_without_changing_values(past: Past) -> None:
    """--from and --to select instants; what stands at them is the same as in the whole."""
    from_us, to_us = past.at_us[1], past.at_us[1] + HOUR_US
    sink = io.BytesIO()
    with reading(past.config) as (connection, _):
        span = backfill.grid(now_us=past.at_us[-1] + DAY_US, step_us=STEP_US, from_us=from_us, to_us=to_us)
        backfill.write(connection, sink, span)
    wanted = {
        line for line in past.text.splitlines()
        if line.startswith(b"#") or from_us <= int(line.rsplit(b" ", 1)[1]) * 1_000_000 < to_us
    }  # fmt: skip
    assert set(sink.getvalue().splitlines()) == wanted
    assert len(wanted) > 500


def test_memory_does_not_follow_the_samples(past: Past) -> None:
    """Ten times the instants take no more memory than a batch of lines."""

    class Nowhere(io.RawIOBase):
        def write(self, data: object) -> int:
            return len(data)  # type: ignore[arg-type]

    peaks = []
    for step_us in (20 * MINUTE_US, 2 * MINUTE_US):
        with reading(past.config) as (connection, _):
            whole = backfill.grid(now_us=past.at_us[-1] + 4 * HOUR_US, step_us=step_us)
            tracemalloc.start()
            samples = backfill.write(connection, Nowhere(), whole)  # type: ignore[arg-type]
            peaks.append((samples, tracemalloc.get_traced_memory()[1]))
            tracemalloc.stop()
    (few, low), (many, high) = peaks
    assert many > 5 * few > 200_000
    assert high < low + 8_000_000


@pytest.mark.parametrize("label", ["job", "=x", "job=", "1a=x", "__name__=x", "currency=USD", "le=1", "a b=c"])
def test_labels_that_are_none_or_ours_are_refused(label: str) -> None:
    """A label must have a name of its own, and a value."""
    with pytest.raises(UsageError, match="--label"):
        backfill.labels_besides([label])


@pytest.fixture(scope="module")
def long_ago(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A ledger of 2024, so that the wall clock is long past it."""
    desk = Desk(tmp_path_factory.mktemp("long-ago"))
    for event, at, more in (
        ("started", "2024-03-01T00:00:00Z", {"service": "chat", "provider": "gcp.vertex_ai", "account": "acme",
                                             "model": "acme-chat-1", "stream": True, "request_id": "c1"}),
        ("ended", "2024-03-01T00:01:00Z", {"outcome": "aborted", "reason": "interrupt", "bytes_received": 0}),
    ):  # fmt: skip
        desk.put("client/a.jsonl", {"event": event, "call_id": "c1", "at": at, **more})
    run_once(desk.config, now_us=1_709_300_000_000_000)
    return desk


def test_command_writes_a_file_that_promtool_loads(long_ago: Desk, tmp_path: Path) -> None:
    """`orphaned backfill --output F` with the labels of a scrape, over a span, is loaded as it is."""
    file = tmp_path / "past.om"
    done = orphaned(
        "backfill", "--config", long_ago.path, "--output", file, "--from", "2024-03-01", "--to", "2024-03-03",
        "--step", "1h", "--label", "job=orphaned-inference", "--label", 'instance=a"b',
    )  # fmt: skip
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    past_prometheus.load(file, tmp_path / "blocks")
    assert 'job="orphaned-inference",instance="a\\"b"} 1.0 1709344800' in file.read_text(encoding="utf-8")


def test_command_says_when_there_is_nothing(long_ago: Desk) -> None:
    """A span without anything known is an empty file, and a line that says so."""
    done = orphaned("backfill", "--config", long_ago.path, "--to", "2020-01-01")
    assert done.exit_code == 0
    assert "nothing to load" in done.stderr
    assert done.stdout.endswith("# EOF\n")


@pytest.mark.parametrize("step", ["0s", "500ms", "soon"])
def test_command_refuses_steps_that_are_none(long_ago: Desk, step: str) -> None:
    """A step is a whole number of seconds."""
    done = orphaned("backfill", "--config", long_ago.path, "--step", step)
    assert done.exit_code == 2
    assert "--step" in done.stderr
