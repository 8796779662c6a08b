"""Collector health: is it running, does it read its sources, how long do its runs take. For who is on call."""

from dashboards import queries as q
from dashboards.panels import bars, lines, number, rows_of, runbook

UID = "orphaned-inference-health"
FILE = "collector-health.json"
TITLE = "Orphaned inference / Collector health"
TEXT = "Whether the collector runs, reads its sources and keeps its books; with the runbooks."
TIME = "now-24h"
VARIABLES = ("runbooks",)


ROWS = (
    ("Now", (
        runbook(number(
            "Last good run, ago",
            "How long ago a run last ended with its figures committed; all figures are of that run. Orange from 30 "
            "minutes. Unknown: no collector is scraped, or no run ever went well.",
            [(q.age("run_last_success_timestamp_seconds"), "{{instance}}")],
            unit="s", size=(6, 5), decimals=1, steps=((None, "green"), (1_800, "orange"), (7_200, "red")),
        ), "CollectorDown"),
        runbook(number(
            "Sources up, of all",
            "Sources whose last fetch worked, and how many there are. What a source that is down would tell is missing "
            "from every figure.",
            [(f"sum({q.P}source_up)", "up"), (f"count({q.P}source_up)", "all")],
            unit="none", size=(6, 5), decimals=0,
        ), "SourceDown"),
        number(
            "Runs that did not go well, time shown",
            "problem: a source failed, the rest was done. invariant: rolled back. failed: could not be done at all.",
            [(q.found("runs_total", only='outcome!="ok"'), "runs")],
            unit="none", size=(6, 5), decimals=0, steps=((None, "green"), (0.5, "orange")),
        ),
        runbook(number(
            "Broken invariants, ever",
            "Runs that were rolled back because the books did not add up. Never a matter of the data alone: keep the "
            "ledger and report it.",
            [(f"sum({q.P}invariant_violations_total)", "runs")],
            unit="none", size=(6, 5), decimals=0, steps=((None, "green"), (0.5, "red")),
        ), "InvariantBroken"),
    )),
    ("Sources", (
        runbook(bars(
            "Last read, ago", "How long ago a fetch of each source last worked. Orange from 2 hours.",
            (f"sort_desc({q.age('source_last_success_timestamp_seconds')})", "{{source}}"),
            unit="s", size=(8, 7), steps=((None, "green"), (7_200, "orange")),
        ), "SourceDown"),
        runbook(bars(
            "Read up to, ago", "How far behind the records of each source are. Orange from 2 days.",
            (f"sort_desc({q.age('source_watermark_timestamp_seconds')})", "{{source}}"),
            unit="s", size=(8, 7), steps=((None, "green"), (172_800, "orange")),
        ), "SourceStale"),
        bars(
            "Lines read, time shown, by outcome",
            "Everything that was read within the time shown; each line is in exactly one outcome. problem: could not "
            "be used; ignored: blank, or no inference call.",
            (f"sort_desc({q.found('source_records_total', 'outcome')})", "{{outcome}}"), unit="sishort", size=(8, 7),
        ),
    )),
    ("Runs", (
        lines(
            "Runs an hour, by outcome", "How often the collector runs, and how that ends.",
            [(q.per_hour("runs_total", "outcome"), "{{outcome}}")], unit="none", size=(8, 8), stacked=True,
        ),
        lines(
            "How long a run takes", "The median and the slowest tenth of the hour before each instant, read off a "
            "histogram whose bounds begin at 1 s.",
            [
                (q.quantile(0.5, "run_duration_seconds", span="1h"), "median"),
                (q.quantile(0.9, "run_duration_seconds", span="1h"), "90 %"),
            ],
            unit="s", size=(8, 8),
        ),
        lines(
            "New lines an hour, by source", "What each source brings that was not known yet.",
            [(q.per_hour("source_records_total", "source", only='outcome="new"'), "{{source}}")],
            unit="sishort", size=(8, 8),
        ),
    )),
    ("What is running", (
        rows_of(
            "Collectors",
            "Every collector that is scraped, with what it is made of. Two that read the same sources count everything "
            "twice: there should be one.",
            [f"sum by (instance, version, python_version, duckdb_version) ({q.P}build_info)"],
            [
                ("instance", "Instance", ""), ("version", "Version", ""), ("python_version", "Python", ""),
                ("duckdb_version", "DuckDB", ""), ("Value", "Up", "none"),
            ],
            size=(24, 5),
        ),
    )),
)  # fmt: skip
