"""The exposition: drawn from one summary, complete, with its zeros, and acceptable to Prometheus."""

import gzip
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from collector.exporters import catalogue, metrics
from collector.records import LedgerSummary, Series
from tests.summaries import before_first_run, summary
from tests.tools import need

GOLDEN = Path(__file__).parent / "golden" / "metrics.txt"


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a text exposition, by name and sorted labels."""
    found = {}
    for family in parse_text(text.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(text: bytes, name: str, **labels: str) -> float | None:
    """One sample's value, or None where it is not there."""
    return samples(text).get((catalogue.PREFIX + name, tuple(sorted(labels.items()))))


def test_golden_exposition() -> None:
    """The text exposition of a fixed summary is the committed one, to the byte."""
    assert metrics.encode_text(summary()).decode() == GOLDEN.read_text(encoding="utf-8")


def test_promtool_accepts_the_golden_exposition() -> None:
    """Names, help, types and samples are such that promtool has no complaint."""
    promtool = need("promtool", "prometheus")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=GOLDEN.read_bytes(), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_regenerate_refuses_to_overwrite(tmp_path: Path) -> None:
    """The golden file is written where there is none, and overwritten only when asked to."""
    from tests.golden.regenerate import main

    target = tmp_path / "metrics.txt"
    assert main([str(target)]) == 0
    target.write_text("mine", encoding="utf-8")
    assert main([str(target)]) == 1
    assert target.read_text(encoding="utf-8") == "mine"
    assert main([str(target), "--overwrite"]) == 0
    assert target.read_bytes() == GOLDEN.read_bytes()


def test_every_family_is_exposed_even_without_figures() -> None:
    """An empty ledger still says the name, the help and the type of every metric of the catalogue."""
    text = metrics.encode_text(before_first_run()).decode()
    for family in catalogue.FAMILIES:
        assert f"# HELP {family.full_name} " in text
        assert f"# TYPE {family.full_name} {family.kind}\n" in text


def test_money_leaves_as_units_of_its_currency() -> None:
    """12,345,678,901 nano-units are exposed as 12.345678901."""
    labels = {"provider": "gcp.vertex_ai", "model": "gemini-3.5-flash", "service_name": "chat-api"}
    text = metrics.encode_text(summary())
    assert value(text, "recognized_spend_total", **labels, reason="timeout", currency="USD") == 12.345678901
    assert value(text, "recognized_spend_total", **labels, reason='a"b\\c\nd', currency="EUR") == 1e-9


def test_counts_are_not_divided() -> None:
    """A family that is no money leaves as it is."""
    assert value(metrics.encode_text(summary()), "source_records_total", source="app", outcome="new") == 1000


def test_zeros_of_what_is_known_in_advance() -> None:
    """After a run, series whose labels are known stand at 0 where the ledger has no figure."""
    text = metrics.encode_text(replace(summary(), families={}, windows=()))
    assert value(text, "runs_total", outcome="invariant") == 0
    assert value(text, "invariant_violations_total") == 0
    assert value(text, "source_records_total", source="backend", outcome="duplicate") == 0
    assert value(text, "window_spend", window="7d", bound="low", currency="USD") == 0
    assert value(text, "window_avoidable_spend", window="month", currency="USD") == 0
    assert value(text, "window_inference_spend", window="1d", part="unattributed", currency="USD") == 0
    assert value(text, "verdict_changes_total", **{"from": "unmatched", "to": "orphaned"}) == 0


def test_no_spend_before_a_run_has_looked() -> None:
    """Before the first run no window says 0: nothing is known of it."""
    text = metrics.encode_text(before_first_run())
    assert b"window_spend{" not in text
    assert value(text, "runs_total", outcome="ok") == 0


def test_no_data_is_not_zero() -> None:
    """What is not known in advance (times, states, settled sums) is absent, not 0."""
    text = metrics.encode_text(replace(summary(), families={}))
    for name in (
        "bill_settled_through_timestamp_seconds",
        "settled_billed_spend",
        "source_up",
        "aborts_total",
    ):
        assert not [key for key in samples(text) if key[0] == catalogue.PREFIX + name]


def test_nothing_known_shows_no_counter() -> None:
    """Without any summary no counter says 0, which would look like a reset to Prometheus."""
    assert {name for name, _ in samples(metrics.encode_text(None))} == {catalogue.PREFIX + "build_info"}


def test_zeros_never_hide_a_figure() -> None:
    """Filling in zeros twice, or over figures, changes nothing that was there."""
    filled = metrics.with_zeros(summary())
    assert metrics.with_zeros(filled) == filled
    for name, series in summary().families.items():
        assert filled.families[name][: len(series)] == series


def test_openmetrics_is_complete_and_ends() -> None:
    """The OpenMetrics form parses strictly, ends in EOF, and has neither times nor _created series."""
    text = metrics.encode_openmetrics(summary()).decode()
    assert text.endswith("# EOF\n")
    assert "_created" not in text
    parsed = {family.name: family for family in parse_openmetrics(text)}  # type: ignore[no-untyped-call]
    assert {family.full_name.removesuffix("_total") for family in catalogue.FAMILIES} == set(parsed)
    assert all(sample.timestamp is None for family in parsed.values() for sample in family.samples)


def test_histograms_end_in_infinity() -> None:
    """Buckets are cumulative, the last is +Inf, and the count is the last bucket's."""
    text = metrics.encode_text(summary())
    labels = {"provider": "gcp.vertex_ai", "model": "gemini-3.5-flash"}
    assert value(text, "overrun_seconds_bucket", **labels, le="10.0") == 4
    assert value(text, "overrun_seconds_bucket", **labels, le="+Inf") == 7
    assert value(text, "overrun_seconds_count", **labels) == 7
    assert value(text, "overrun_seconds_sum", **labels) == 61.5


@pytest.mark.parametrize(
    "families",
    [{"recognised_spend_total": (Series((), 1),)}, {"overrun_seconds": (Series((), 1),)}],
)
def test_unknown_families_are_refused(families: dict[str, tuple[Series, ...]]) -> None:
    """A name that the catalogue lacks, or has as another kind, is an error and never silently dropped."""
    with pytest.raises(KeyError, match="catalogue"):
        metrics.encode_text(replace(summary(), families=families))


def test_wrong_number_of_labels_is_refused() -> None:
    """A series with a label too few is an error, not a shifted label."""
    with pytest.raises(ValueError, match="source_up has labels"):
        metrics.encode_text(replace(summary(), families={"source_up": (Series((), 1),)}))


def test_a_registry_takes_the_collector() -> None:
    """describe() names every family, so that a registry can take it and refuse a second one."""
    registry = CollectorRegistry()
    registry.register(metrics.LedgerCollector(summary()))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(metrics.LedgerCollector(summary()))


def test_runs_that_failed_after_the_summary_are_counted() -> None:
    """Runs that the ledger could not record are added to its counts, each to its outcome."""
    text = metrics.encode_text(metrics.with_failures(summary(), failed=2, invariant=1))
    assert value(text, "runs_total", outcome="failed") == 2
    assert value(text, "runs_total", outcome="invariant") == 1
    assert value(text, "runs_total", outcome="ok") == 41
    assert value(text, "invariant_violations_total") == 1


def test_textfile_replaces_whole(tmp_path: Path) -> None:
    """The file is swapped by rename, readable by all, and leaves no temporary file behind."""
    target = tmp_path / "orphaned.prom"
    target.write_text("old", encoding="utf-8")
    with target.open(encoding="utf-8") as reader:
        metrics.write_textfile(summary(), target)
        assert reader.read() == "old"
    assert target.read_bytes() == metrics.encode_text(summary())
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [target]


def test_textfile_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """A summary that cannot be drawn leaves the former file and no temporary one."""
    target = tmp_path / "orphaned.prom"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(KeyError):
        metrics.write_textfile(replace(summary(), families={"nonsense": ()}), target)
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("accept", "encoding", "openmetrics", "zipped"),
    [
        ("", "", False, False),
        ("*/*", "gzip", False, True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2", "gzip", True, True),
        ("text/plain;version=0.0.4", "deflate", False, False),
    ],
)
def test_content_negotiation(accept: str, encoding: str, openmetrics: bool, zipped: bool) -> None:
    """OpenMetrics is sent when asked for, text otherwise; compressed only when accepted."""
    body, headers = metrics.Exposition(summary()).answer(accept, encoding)
    assert (headers.get("Content-Encoding") == "gzip") == zipped
    plain = gzip.decompress(body) if zipped else body
    assert plain == (metrics.encode_openmetrics(summary()) if openmetrics else metrics.encode_text(summary()))
    assert headers["Content-Type"] == (metrics.OPENMETRICS_TYPE if openmetrics else metrics.TEXT_TYPE)


def test_an_exposition_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second scrape serves the same bytes and encodes nothing."""
    encoded: list[LedgerSummary | None] = []
    real = metrics.encode_text

    def counting(one: LedgerSummary | None) -> bytes:
        encoded.append(one)
        return real(one)

    monkeypatch.setattr(metrics, "encode_text", counting)
    exposition = metrics.Exposition(summary()).made()
    assert exposition.answer("", "")[0] is exposition.answer("", "")[0]
    assert len(encoded) == 1
