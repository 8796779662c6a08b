"""Can we trust it: the bill, the evidence, what no log shows, corrections, and the sources' lag."""

from dashboards import queries as q
from dashboards.panels import SHARE, band, bars, lines, number, rows_of, runbook

UID = "orphaned-inference-trust"
FILE = "can-we-trust-it.json"
TITLE = "Orphaned inference / Can we trust it"
TEXT = "How far the figures are billed or estimated, what they rest on, what is missing, and what was corrected."
TIME = "now-30d"
VARIABLES = ("currency", "provider", "runbooks")

_DAY = 86_400
_DRIFT = ((None, "red"), (-0.10, "orange"), (-0.05, "green"), (0.05, "orange"), (0.10, "red"))
_SETTLED = f"max by (provider, account) ({q.P}bill_settled_through_timestamp_seconds{{{q.PROVIDER}}})"

ROWS = (
    ("The bill", (
        runbook(rows_of(
            "Bill settled through",
            "Up to when each account's bill is settled; amounts before it come from the bill, later ones from dated "
            "prices. Times in UTC.",
            [f"time() - {_SETTLED}", f"1000 * {_SETTLED}"],
            [
                ("provider", "Provider", ""), ("account", "Account", ""), ("Value #A", "Ago", "s"),
                ("Value #B", "Settled through", "dateTimeAsIso"),
            ],
            size=(12, 5),
        ), "BillLate"),
        runbook(number(
            "Billed against estimated, 30 settled days, $currency",
            "What was billed over what our dated prices say the same usage costs, less 1, by provider: the drift of "
            "the price book. Green within 5 %, red beyond 10 %: correct `prices` or `skus`.",
            [(
                q.share(
                    f"sum by (provider) ({q.P}settled_billed_spend{{{q.PROVIDER}, {q.CURRENCY}}})",
                    f"sum by (provider) ({q.P}settled_estimated_spend{{{q.PROVIDER}, {q.CURRENCY}}})",
                ) + " - 1",
                "{{provider}}",
            )],
            unit=SHARE, size=(6, 5), decimals=1, steps=_DRIFT,
        ), "BillDrifting"),
        number(
            "Still estimated, of this month's loss, $currency",
            "The part of this month's loss that rests on dated prices, because its bill is not settled yet. All "
            "providers.",
            [(q.share(q.evidence("month", only='basis="estimated"'), q.evidence("month")), "estimated")],
            unit=SHARE, size=(6, 5), decimals=1,
        ),
    )),
    ("The evidence", (
        bars(
            "What this month's loss rests on, $currency",
            "exact: call and completion share an id. probable: joined by time, model and size. assumed: that provider "
            "has no completion log. billed or estimated: where the amount comes from. All providers, best figures.",
            (q.largest(q.evidence("month", "evidence", "basis")), "{{evidence}}, {{basis}}"),
        ),
        bars(
            "Aborts of 30 days, by verdict and evidence",
            "The aborts of the last 30 days, the nine most frequent kinds: what became of the work, and how that is "
            "known. unmatched: no log shows it; pending: too early to say.",
            (q.largest(f"sum by (verdict, evidence) ({q.P}evidence_aborts)", 9), "{{verdict}}, {{evidence}}"),
            unit="none",
        ),
        bars(
            "Confidence of matches by time and size, 30 days",
            "The mean probability that such a match is right, by model: the eight lowest. Unknown where every match "
            "has an id, which is best: pass one id to both logs where this is low. Green from 95 %, red below 80 %.",
            (f"sort(bottomk(8, {q.P}match_confidence_ratio{{{q.PROVIDER}}}))", "{{model}}"),
            unit=SHARE, top=1, steps=((None, "red"), (0.8, "orange"), (0.95, "green")),
        ),
    )),
    ("What nobody can attribute, and how wide the bounds are", (
        runbook(lines(
            "In no log, of all inference spend",
            "What was billed and stands in no completion log, over all inference spend of the same window. Growing: a "
            "log is lost, or a program calls that nobody watches.",
            [
                (q.share(q.inference(window, "unattributed"), q.inference(window)), name)
                for window, name in (("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"))
            ],
            unit=SHARE,
        ), "UnattributedGrowing"),
        band(
            lines(
                "Lost in the 30 days before each instant, $currency",
                "The best figure between its bounds; the true one lies there with 90 % probability. Each point is what "
                "was known then. Bounds narrow as bills settle.",
                q.bounds("30d"),
            ),
            low="low", best="best", high="low to high",
        ),
    )),
    ("Corrections and problems", (
        lines(
            "Corrected in the 24 hours before each instant, $currency",
            "What later evidence and settled bills added to figures that had been told, and took from them.",
            [
                (q.found("spend_corrected_up_total", only=f"{q.CURRENCY}, {q.PROVIDER}", span="1d"), "added"),
                (q.found("spend_corrected_down_total", only=f"{q.CURRENCY}, {q.PROVIDER}", span="1d"), "taken off"),
            ],
            size=(10, 8),
        ),
        number(
            "Verdicts changed, time shown",
            "Final verdicts that later evidence changed, within the time shown.",
            [(q.found("verdict_changes_total"), "changed")], unit="none", size=(5, 8), decimals=0,
        ),
        bars(
            "Problems on record, by source and kind",
            "Everything that could not be used or does not fit, ever: the eight most frequent. `orphaned export "
            "problems` lists each with its place.",
            (q.largest(f"sum by (source, kind) ({q.P}problems)", 8), "{{source}}: {{kind}}"),
            unit="none", size=(9, 8), steps=((None, "orange"),),
        ),
    )),
    ("The sources", (
        runbook(bars(
            "Read up to, ago",
            "How far behind each source's records are. Verdicts wait for the logs; bills come a day late by nature. "
            "Orange from 2 days.",
            (f"sort_desc({q.age('source_watermark_timestamp_seconds')})", "{{source}}"),
            unit="s", size=(12, 6), steps=((None, "green"), (2 * _DAY, "orange")),
        ), "SourceStale"),
        bars(
            "Lines that could not be used, of all lines",
            "The share of what each source delivered, ever, that could not be used; blank and irrelevant lines do not "
            "count as such. Orange from 1 %.",
            (
                "sort_desc(" + q.share(
                    f'sum by (source) ({q.P}source_records_total{{outcome="problem"}})',
                    f"sum by (source) ({q.P}source_records_total)",
                ) + ")",
                "{{source}}",
            ),
            unit=SHARE, size=(12, 6), steps=((None, "green"), (0.01, "orange")),
        ),
    )),
)  # fmt: skip
