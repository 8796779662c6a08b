"""Overview: what is being lost, whose, why, since when, and how sure that is. For finance, at a glance."""

from dashboards import queries as q
from dashboards.panels import SHARE, band, bars, drill_down, lines, number, runbook, shown_as

UID = "orphaned-inference"
FILE = "overview.json"
TITLE = "Orphaned inference / Overview"
TEXT = "Money spent on inference whose result reached nobody: how much, whose, why, and how sure that is."
TIME = "now-30d"
VARIABLES = ("currency", "runbooks")

_LIKELY = "The true figure lies between low and high with 90 % probability."
_DAYS = 86_400

ROWS = (
    ("What is being lost", (
        number(
            "Lost this month, $currency",
            "Spent since the 1st of the month (UTC) on inference whose result reached nobody: the best figure of all "
            "providers, models and services. Billed where the bill is settled, estimated from dated prices where not.",
            [(q.spend("month", "best"), "lost")],
            size=(5, 5), steps=((None, "blue"),),
        ),
        number(
            "Bounds, this month, $currency", f"The bounds of the figure on the left. {_LIKELY}",
            [(q.spend("month", "low"), "low"), (q.spend("month", "high"), "high")], size=(4, 5),
        ),
        runbook(number(
            "Share lost, this month",
            "Lost this month over all inference spend of this month; unknown where nothing was spent. Yellow from 2 %, "
            "red from 5 %.",
            [(q.share(q.spend("month", "best"), q.inference("month")), "share")],
            unit=SHARE, size=(4, 5), decimals=1, steps=((None, "green"), (0.02, "yellow"), (0.05, "red")),
        ), "OrphanedSpend*High"),
        number(
            "Lost in 24 hours, $currency",
            "The best figure of the 24 hours before the last run. Recent figures are mostly estimates, and calls that "
            "have not been matched yet are in no figure.",
            [(q.spend("1d", "best"), "lost")], size=(4, 5),
        ),
        number(
            "Change, 7 days",
            "Lost in the last 7 days against the 7 days before, best figures as they were known then and are now. "
            "Unknown in the first week. Green where it fell, orange from +20 %.",
            [(f"{q.share(q.spend('7d', 'best'), q.spend('7d', 'best', ago='7d'))} - 1", "change")],
            unit=SHARE, size=(3, 5), decimals=0, steps=((None, "green"), (0, "text"), (0.2, "orange")),
        ),
        number(
            "Avoidable, this month, $currency",
            "The part of this month's loss that was generated after the caller had left: what a cancel that the "
            "backend honours would have saved.",
            [(f'sum({q.P}window_avoidable_spend{{window="month", {q.CURRENCY}}})', "avoidable")], size=(4, 5),
        ),
    )),
    ("Since when, and out of what", (
        band(
            lines(
                "Lost in the 24 hours before each instant, $currency",
                f"The best figure and its bounds. {_LIKELY} Each point is what was known then: a late bill moves later "
                "points only.",
                q.bounds("1d"),
                size=(15, 9),
            ),
            low="low", best="best", high="low to high",
        ),
        bars(
            "All inference spend, this month, $currency",
            "What became of the money: delivered; orphaned (the backend ran on for nobody); cut short (it stopped, "
            "and what it had made was lost); failed; unattributed (billed, but in no log). Billed where settled, else "
            "estimated. Orphaned and cut short add up to the loss, but for hours of which only a part is settled.",
            (f'sort_desc(sum by (part) ({q.P}window_inference_spend{{window="month", {q.CURRENCY}}}))', "{{part}}"),
            size=(9, 9),
        ).override_by_name("cut_short", [shown_as("cut short")]),
    )),
    ("Whose, and why", (
        bars(
            "By service, this month, $currency",
            "The services whose calls were left: the ten largest, best figures. Click a bar for its models and "
            "reasons.",
            (q.largest(q.lost("month", "service_name")), "{{service_name}}"),
            link=drill_down("Where and why: this service", "service", "service_name"),
        ),
        bars(
            "By model, this month, $currency",
            "The models that worked for nobody: the ten largest, best figures. Click a bar for its services and "
            "reasons.",
            (q.largest(q.lost("month", "model")), "{{model}}"),
            link=drill_down("Where and why: this model", "model", "model"),
        ),
        bars(
            "By reason, this month, $currency",
            "Why callers left: timeout, interrupt (Ctrl-C, SIGTERM), cancelled by the program, disconnect (a proxy saw "
            "it go), error on the caller's side, vanished (the process was killed). Best figures.",
            (q.largest(q.lost("month", "reason")), "{{reason}}"),
        ),
    )),
    ("How sure this is", (
        runbook(number(
            "Bill settled up to, ago",
            "How long ago the settled part of the bills ends, for the account that is furthest behind. What came later "
            "is estimated. Orange from 5 days.",
            [(f"max({q.age('bill_settled_through_timestamp_seconds')})", "bill")],
            unit="s", size=(6, 4), decimals=1, steps=((None, "green"), (5 * _DAYS, "orange")),
        ), "BillLate"),
        number(
            "Still estimated, of this month's loss",
            "The part of this month's loss that rests on dated prices, because its bill is not settled yet.",
            [(q.share(q.evidence("month", only='basis="estimated"'), q.evidence("month")), "estimated")],
            unit=SHARE, size=(6, 4), decimals=1,
        ),
        runbook(number(
            "In no log, of this month's inference",
            "What was billed this month and stands in no completion log, over all inference spend. Orphaned calls may "
            "hide there; the high bound allows for it. Orange from 10 %.",
            [(q.share(q.inference("month", "unattributed"), q.inference("month")), "unattributed")],
            unit=SHARE, size=(6, 4), decimals=1, steps=((None, "green"), (0.10, "orange")),
        ), "UnattributedGrowing"),
        runbook(number(
            "Figures as of, ago",
            "All figures are those of the last run that went well. Orange from 30 minutes.",
            [(f"max({q.age('run_last_success_timestamp_seconds')})", "last run")],
            unit="s", size=(6, 4), decimals=1, steps=((None, "green"), (1_800, "orange")),
        ), "CollectorDown"),
    )),
)  # fmt: skip
