"""The Prometheus exposition of one frozen summary.

A `LedgerSummary` comes in; the classic text format and OpenMetrics go out, as bytes made once a summary, so
that a scrape costs a copy. Counters come out of the ledger: a restart resets none. This room refuses to count
anything itself, to stamp samples with times, and to say 0 where nothing is known.
"""

import gzip
import os
import platform
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version as distribution_version
from itertools import product
from pathlib import Path

from prometheus_client import exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from collector import __version__
from collector.exporters import catalogue
from collector.exporters.catalogue import BY_NAME, FAMILIES, Family
from collector.money import NANO_PER_UNIT
from collector.records import HistogramSeries, LedgerSummary, Series

TEXT_TYPE = exposition.CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS_TYPE = openmetrics_exposition.CONTENT_TYPE_LATEST
_GZIP_LEVEL = 3  # made once a run in the job's own thread; beyond 3 the bytes hardly shrink and the time doubles


class LedgerCollector(Collector):
    """Draws one summary (or None: nothing is known) for prometheus_client; each summary takes its own.

    Raises KeyError for a family that the catalogue does not know, ValueError for a wrong number of labels.
    """

    def __init__(self, summary: LedgerSummary | None) -> None:
        self._summary = with_zeros(summary) if summary else unknown_summary()
        _check_names(self._summary)

    def describe(self) -> Iterable[Metric]:
        """Every family without its samples, so that a registry need not collect to know the names."""
        return [_plain(one, ()) if one.kind != "histogram" else _histogram(one, ()) for one in FAMILIES]

    def collect(self) -> Iterator[Metric]:
        """Every family in the catalogue's order, those without a sample too."""
        for family in FAMILIES:
            if family.kind == "histogram":
                yield _histogram(family, self._summary.histograms.get(family.name, ()))
            else:
                yield _plain(family, self._summary.families.get(family.name, ()))


def _check_names(summary: LedgerSummary) -> None:
    """KeyError for names that the catalogue lacks or has under another kind: they would be lost silently."""
    wrong = [name for name in summary.families if name not in BY_NAME or BY_NAME[name].kind == "histogram"]
    wrong += [name for name in summary.histograms if name not in BY_NAME or BY_NAME[name].kind != "histogram"]
    if wrong:
        raise KeyError(f"not in the catalogue of metrics under that kind: {', '.join(sorted(wrong))}")


def _plain(family: Family, series: tuple[Series, ...]) -> Metric:
    made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = made(family.full_name, family.help, labels=family.labels)
    for one in series:
        _check_labels(family, one.labels)
        # Only here does money become a float: the exposition formats know no other number.
        metric.add_metric(one.labels, one.value / NANO_PER_UNIT if family.money else one.value)
    return metric


def _histogram(family: Family, series: tuple[HistogramSeries, ...]) -> Metric:
    metric = HistogramMetricFamily(family.full_name, family.help, labels=family.labels)
    for one in series:
        _check_labels(family, one.labels)
        buckets = [(bound_text(bound), count) for bound, count in one.buckets]
        metric.add_metric(one.labels, buckets, one.sum)
    return metric


def bound_text(bound: float) -> str:
    """A bucket's upper bound as the formats write it: 0.5, 1.0, +Inf."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def _check_labels(family: Family, labels: tuple[str, ...]) -> None:
    if len(labels) != len(family.labels):
        raise ValueError(f"{family.name} has labels {family.labels}, got values {labels}")


def encode_text(summary: LedgerSummary | None) -> bytes:
    """`summary` in the classic text format (UTF-8): our own metrics only, with their zeros."""
    return exposition.generate_latest(LedgerCollector(summary))


def encode_openmetrics(summary: LedgerSummary | None) -> bytes:
    """`summary` in OpenMetrics 1.0, ending in `# EOF`."""
    encoded: bytes = openmetrics_exposition.generate_latest(LedgerCollector(summary))  # type: ignore[no-untyped-call]
    return encoded


def write_textfile(summary: LedgerSummary, path: Path) -> None:
    """`summary` in text format at `path`, by atomic rename: a reader sees the old file or the new one, whole.

    Made for node_exporter's textfile collector, so readable by everyone. Raises OSError.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(encode_text(summary))
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Exposition:
    """One summary with its encodings, each made once, when first asked for (`made` asks for all)."""

    summary: LedgerSummary | None

    @cached_property
    def text(self) -> bytes:
        """The classic text format."""
        return encode_text(self.summary)

    @cached_property
    def openmetrics(self) -> bytes:
        """OpenMetrics 1.0."""
        return encode_openmetrics(self.summary)

    @cached_property
    def text_gzip(self) -> bytes:
        """`text`, compressed."""
        return gzip.compress(self.text, _GZIP_LEVEL, mtime=0)

    @cached_property
    def openmetrics_gzip(self) -> bytes:
        """`openmetrics`, compressed."""
        return gzip.compress(self.openmetrics, _GZIP_LEVEL, mtime=0)

    def made(self) -> "Exposition":
        """The same, with every encoding made, so that no scrape waits for one."""
        _ = (self.text_gzip, self.openmetrics_gzip)
        return self

    def answer(self, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
        """The body and headers for a scrape that sent these two headers ("" where it sent none)."""
        wants_openmetrics = exposition.choose_encoder(accept)[1].startswith("application/openmetrics-text")
        headers = {
            "Content-Type": OPENMETRICS_TYPE if wants_openmetrics else TEXT_TYPE,
            "Vary": "Accept, Accept-Encoding",
        }
        if exposition.gzip_accepted(accept_encoding):
            body = self.openmetrics_gzip if wants_openmetrics else self.text_gzip
            return body, {**headers, "Content-Encoding": "gzip"}
        return self.openmetrics if wants_openmetrics else self.text, headers


def unknown_summary(currency: str = "") -> LedgerSummary:
    """The summary of a collector that holds no figures: nothing is 0, because nothing is known."""
    return LedgerSummary(
        as_of_us=0,
        recorded_at_us=None,
        currency=currency,
        families={"build_info": (build_info(),)},
        histograms={},
        windows=(),
        sources=(),
        problems=(),
        runs=(),
    )


def build_info() -> Series:
    """What is running. DuckDB's version comes from its metadata: importing it costs a tenth of a second."""
    return Series((__version__, platform.python_version(), distribution_version("duckdb")), 1)


def with_zeros(summary: LedgerSummary) -> LedgerSummary:
    """`summary` with 0 for every series that is known in advance and has no figure, and with `build_info`.

    Counts of runs and records start at 0. Spend of a window is 0 only after a run has looked.
    """
    known = dict(_zero_labels(summary))
    families = dict(summary.families)
    for name, wanted in known.items():
        there = families.get(name, ())
        have = {one.labels for one in there}
        families[name] = (*there, *(Series(labels, 0) for labels in wanted if labels not in have))
    if not families.get("build_info"):
        families["build_info"] = (build_info(),)
    return replace(summary, families=families)


def _zero_labels(summary: LedgerSummary) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """The label values known in advance, by family."""
    yield from counter_zeros(status.source for status in summary.sources)
    if summary.recorded_at_us is None:
        return
    currencies = sorted({summary.currency} | {window.currency for window in summary.windows})
    yield "window_spend", list(product(catalogue.WINDOWS, catalogue.BOUNDS, currencies))
    yield "window_avoidable_spend", list(product(catalogue.WINDOWS, currencies))
    yield "window_inference_spend", list(product(catalogue.WINDOWS, catalogue.PARTS, currencies))


def counter_zeros(sources: Iterable[str]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """The label values of counters that are known in advance, by family: they start at 0."""
    yield "runs_total", [(outcome,) for outcome in catalogue.RUN_OUTCOMES]
    yield "invariant_violations_total", [()]
    yield "source_records_total", list(product(sources, catalogue.RECORD_OUTCOMES))
    verdicts = catalogue.FINAL_VERDICTS
    yield "verdict_changes_total", [(old, new) for old, new in product(verdicts, verdicts) if old != new]


def with_failures(summary: LedgerSummary, *, failed: int = 0, invariant: int = 0) -> LedgerSummary:
    """`summary` with runs counted that ended after it was drawn and so are not in it.

    `failed` runs never reached the ledger; `invariant` runs were rolled back.
    """
    families = dict(summary.families)
    added = [("runs_total", ("failed",), failed), ("runs_total", ("invariant",), invariant)]
    for name, labels, count in [*added, ("invariant_violations_total", (), invariant)]:
        if count:
            families[name] = _counted(families.get(name, ()), labels, count)
    return replace(summary, families=families)


def _counted(series: tuple[Series, ...], labels: tuple[str, ...], count: int) -> tuple[Series, ...]:
    before = sum(one.value for one in series if one.labels == labels)
    return (*(one for one in series if one.labels != labels), Series(labels, before + count))
