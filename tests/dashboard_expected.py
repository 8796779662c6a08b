"""For every query of every dashboard, what it must say: (file, title, ref) -> from the books.

A panel without an entry here, or an entry without a panel, fails the tests.
"""

import platform

import duckdb

from collector import __version__
from tests.dashboard_books import Books, Expected
from tests.scraped import Answer

OVERVIEW, WHERE, TRUST, HEALTH = (
    "overview.json", "where-and-why.json", "can-we-trust-it.json", "collector-health.json",
)  # fmt: skip
LATER = tuple(f"{seconds}.0" for seconds in (1, 2, 5, 10, 20, 30, 60))
MODEL = ("provider", "model")


def _only_model(b: Books) -> dict[str, str]:
    return {label: value for label, value in b.chosen.only.items() if label == "model"}


def _only_service(b: Books) -> dict[str, str]:
    return {label: value for label, value in b.chosen.only.items() if label == "service_name"}


def _wide(title: str) -> dict[tuple[str, str, str], Expected]:
    """The four quantiles of one table."""
    asked = zip("ABCD", ("abort_wait", "abort_wait", "overrun", "overrun"), (0.5, 0.9, 0.5, 0.9), strict=True)
    return {
        (WHERE, title, ref): lambda b, level=level, name=name: b.quantiles(  # type: ignore[misc]
            level, f"{name}_seconds", *MODEL, only=_only_model(b)
        )
        for ref, name, level in asked
    }


def _bounds(file: str, title: str, span: str, refs: dict[str, str]) -> dict[tuple[str, str, str], Expected]:
    """One query a bound."""
    return {(file, title, ref): lambda b, bound=bound: b.bound(span, bound) for ref, bound in refs.items()}  # type: ignore[misc]


EXPECTED: dict[tuple[str, str, str], Expected] = {
    (OVERVIEW, "Lost this month, $currency", "A"): lambda b: b.best("month"),
    **_bounds(OVERVIEW, "Bounds, this month, $currency", "month", {"A": "low", "B": "high"}),
    (OVERVIEW, "Share lost, this month", "A"): lambda b: b.best("month") / sum(b.parts("month").values()),
    (OVERVIEW, "Lost in 24 hours, $currency", "A"): lambda b: b.best("1d"),
    (OVERVIEW, "Change, 7 days", "A"): lambda b: b.best("7d") / b.best_before("7d") - 1,
    (OVERVIEW, "Avoidable, this month, $currency", "A"): lambda b: b.avoidable("month"),
    **_bounds(
        OVERVIEW, "Lost in the 24 hours before each instant, $currency", "1d", {"A": "best", "B": "low", "C": "high"}
    ),
    (OVERVIEW, "All inference spend, this month, $currency", "A"): lambda b: b.parts("month"),
    (OVERVIEW, "By service, this month, $currency", "A"): lambda b: b.lost("month", "service_name"),
    (OVERVIEW, "By model, this month, $currency", "A"): lambda b: b.lost("month", "model"),
    (OVERVIEW, "By reason, this month, $currency", "A"): lambda b: b.lost("month", "reason"),
    (OVERVIEW, "Bill settled up to, ago", "A"): lambda b: max(
        b.ages("bill_settled_through_timestamp_seconds", "provider", "account").values()
    ),
    (OVERVIEW, "Still estimated, of this month's loss", "A"): lambda b: b.estimated("month"),
    (OVERVIEW, "In no log, of this month's inference", "A"): lambda b: b.part_share("month", "unattributed"),
    (OVERVIEW, "Figures as of, ago", "A"): lambda b: b.at_s - b.after.summary.as_of_us / 1e6,
    (WHERE, "Lost: period $window, $currency", "A"): lambda b: sum(
        b.lost(b.chosen.window, only=b.chosen.only).values()
    ),
    (WHERE, "Service, model and reason: period $window, $currency", "A"): lambda b: b.lost(
        b.chosen.window, "service_name", "model", "reason", only=b.chosen.only
    ),
    (WHERE, "By reason: period $window, $currency", "A"): lambda b: b.lost(
        b.chosen.window, "reason", only=b.chosen.only
    ),
    (WHERE, "Answers complete so many seconds after the timeout", "A"): lambda b: b.share_within(
        "le", b.chosen.only, LATER
    ),
    (WHERE, "A timeout 10 s longer would have received", "A"): lambda b: b.share_within(
        "service_name", b.chosen.only, ["10.0"]
    ),
    (WHERE, "Timeouts that the backend outran, time shown", "A"): lambda b: b.grown(
        "timeout_overrun_seconds_bucket", only={**b.chosen.only, "le": "+Inf"}
    ),
    **_wide("How long callers waited, and how long the backend ran on"),
    (WHERE, "Avoidable: period $window, $currency", "A"): lambda b: b.avoidable(b.chosen.window),
    (WHERE, "Lost, and tried again: period $window, $currency", "A"): lambda b: b.retried(
        b.chosen.window, _only_service(b)
    ),
    (WHERE, "Backend stopped when its caller left, 30 days", "A"): lambda b: _lowest(b.honored(_only_model(b))),
    (WHERE, "Tried again, of the loss: period $window", "A"): lambda b: (
        sum(b.retried(b.chosen.window, _only_service(b)).values())
        / sum(b.lost(b.chosen.window, only=_only_service(b)).values())
    ),
    (WHERE, "Aborts an hour, by reason", "A"): lambda b: b.an_hour("aborts_total", "reason", only=b.chosen.only),
    (WHERE, "Aborts an hour, by verdict", "A"): lambda b: b.an_hour("aborts_total", "verdict", only=b.chosen.only),
    (TRUST, "Bill settled through", "A"): lambda b: b.ages(
        "bill_settled_through_timestamp_seconds", "provider", "account"
    ),
    (TRUST, "Bill settled through", "B"): lambda b: {
        key: 1000 * (b.at_s - age)
        for key, age in b.ages("bill_settled_through_timestamp_seconds", "provider", "account").items()
    },
    (TRUST, "Billed against estimated, 30 settled days, $currency", "A"): lambda b: b.drift(),
    (TRUST, "Still estimated, of this month's loss, $currency", "A"): lambda b: b.estimated("month"),
    (TRUST, "What this month's loss rests on, $currency", "A"): lambda b: b.evidence("month"),
    (TRUST, "Aborts of 30 days, by verdict and evidence", "A"): lambda b: _largest(b.standing(), 9),
    (TRUST, "Confidence of matches by time and size, 30 days", "A"): lambda b: _lowest(b.confidence()),
    (TRUST, "In no log, of all inference spend", "A"): lambda b: b.part_share("1d", "unattributed"),
    (TRUST, "In no log, of all inference spend", "B"): lambda b: b.part_share("7d", "unattributed"),
    (TRUST, "In no log, of all inference spend", "C"): lambda b: b.part_share("30d", "unattributed"),
    **_bounds(
        TRUST, "Lost in the 30 days before each instant, $currency", "30d", {"A": "best", "B": "low", "C": "high"}
    ),
    (TRUST, "Corrected in the 24 hours before each instant, $currency", "A"): lambda b: _money(
        b, "spend_corrected_up_total"
    ),
    (TRUST, "Corrected in the 24 hours before each instant, $currency", "B"): lambda b: _money(
        b, "spend_corrected_down_total"
    ),
    (TRUST, "Verdicts changed, time shown", "A"): lambda b: b.grown("verdict_changes_total"),
    (TRUST, "Problems on record, by source and kind", "A"): lambda b: _largest(b.problems(), 8),
    (TRUST, "Read up to, ago", "A"): lambda b: b.ages("source_watermark_timestamp_seconds", "source"),
    (TRUST, "Lines that could not be used, of all lines", "A"): lambda b: {
        (("source", source),): b.after.counters.get(("source_records_total", source, "problem"), 0)
        / sum(v for key, v in b.after.counters.items() if key[:2] == ("source_records_total", source))
        for source in {key[1] for key in b.after.counters if key[0] == "source_records_total"}
    },
    (HEALTH, "Last good run, ago", "A"): lambda b: b.at_s - b.after.summary.as_of_us / 1e6,
    (HEALTH, "Sources up, of all", "A"): lambda b: float(sum(one.up for one in b.after.summary.sources)),
    (HEALTH, "Sources up, of all", "B"): lambda b: float(len(b.after.summary.sources)),
    (HEALTH, "Runs that did not go well, time shown", "A"): lambda b: 0.0,  # noqa: ARG005 (both runs went well)
    (HEALTH, "Broken invariants, ever", "A"): lambda b: 0.0,  # noqa: ARG005 (none was)
    (HEALTH, "Last read, ago", "A"): lambda b: b.ages("source_last_success_timestamp_seconds", "source"),
    (HEALTH, "Read up to, ago", "A"): lambda b: b.ages("source_watermark_timestamp_seconds", "source"),
    (HEALTH, "Lines read, time shown, by outcome", "A"): lambda b: b.grown("source_records_total", "outcome"),
    (HEALTH, "Runs an hour, by outcome", "A"): lambda b: {
        (("outcome", "ok"),): 3600 / b.seconds,  # one run lies between the two states
        **{(("outcome", outcome),): 0.0 for outcome in ("problem", "invariant", "failed")},
    },
    (HEALTH, "How long a run takes", "A"): lambda b: b.quantiles(0.5, "run_duration_seconds"),
    (HEALTH, "How long a run takes", "B"): lambda b: b.quantiles(0.9, "run_duration_seconds"),
    (HEALTH, "New lines an hour, by source", "A"): lambda b: b.an_hour(
        "source_records_total", "source", only={"outcome": "new"}
    ),
    (HEALTH, "Collectors", "A"): lambda b: {_running(): 1.0},  # noqa: ARG005 (it is what runs here)
}  # fmt: skip


def _money(b: Books, name: str) -> float:
    """The growth of a counter of money in the chosen currency."""
    return sum(b.grown(name, only={"currency": b.chosen.currency}).values()) / 1e9


def _running() -> tuple[tuple[str, str], ...]:
    """The labels of what runs here."""
    python = platform.python_version()
    return ("duckdb_version", duckdb.__version__), ("python_version", python), ("version", __version__)


def _largest(found: Answer, count: int) -> Answer:
    return dict(sorted(found.items(), key=lambda one: -one[1])[:count])


def _lowest(found: Answer) -> Answer:
    return dict(sorted(found.items(), key=lambda one: one[1])[:8])
