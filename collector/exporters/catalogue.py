"""What every metric is called, means and is labelled with: the whole list, as data.

Nothing comes in. What goes out is `FAMILIES`, from which the exposition is drawn, and the dashboards and the
rules are checked. This room refuses to hold a figure: it knows names only.
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "orphaned_inference_"

# What a label can say where that is known before anything has happened (contract, sections 1 and 6).
WINDOWS = ("1d", "7d", "30d", "month")
BOUNDS = ("low", "best", "high")
PARTS = ("delivered", "orphaned", "cut_short", "failed", "unattributed")
RECORD_OUTCOMES = ("new", "duplicate", "problem", "ignored")
RUN_OUTCOMES = ("ok", "problem", "invariant", "failed")
FINAL_VERDICTS = ("failed", "cut_short", "delivered", "orphaned", "unmatched")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without the prefix, its help, and its labels in the order of a Series' values.

    `money` says that the ledger's figure is in nano-units and leaves as units of the `currency` label.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    money: bool = False

    @property
    def full_name(self) -> str:
        """The name as Prometheus stores it (a histogram's without `_bucket`, `_sum`, `_count`)."""
        return PREFIX + self.name


_SPEND = ("provider", "model", "service_name", "reason", "currency")
_LOST = "money spent on inference whose result reached nobody, in units of the currency label"

FAMILIES: tuple[Family, ...] = (
    Family(
        "recognized_spend_total",
        "counter",
        f"Orphaned spend: {_LOST}; the best figure, counted once, when an abort's verdict is first final, "
        "even if still estimated. The present figure is this + spend_corrected_up_total - "
        "spend_corrected_down_total.",
        _SPEND,
        money=True,
    ),
    Family(
        "spend_corrected_up_total",
        "counter",
        "What later evidence, the settled bill or a change of labels added to recognized_spend_total "
        "afterwards, in units of the currency label.",
        _SPEND,
        money=True,
    ),
    Family(
        "spend_corrected_down_total",
        "counter",
        "What later evidence, the settled bill or a change of labels took from recognized_spend_total "
        "afterwards, in units of the currency label. A counter of its own, because counters may only grow.",
        _SPEND,
        money=True,
    ),
    Family(
        "window_spend",
        "gauge",
        f"Orphaned spend in the window that ends with the last run: {_LOST}. Bound best is the figure; low "
        "and high hold it with 90 % probability.",
        ("window", "bound", "currency"),
        money=True,
    ),
    Family(
        "window_avoidable_spend",
        "gauge",
        "The part of the window's orphaned spend that was generated after the abort, in units of the "
        "currency label: what a cancel that the backend honours would have saved.",
        ("window", "currency"),
        money=True,
    ),
    Family(
        "window_lost_spend",
        "gauge",
        "The best figure of window_spend, by who caused it, in units of the currency label; it adds up to "
        "window_spend with bound best.",
        ("window", *_SPEND),
        money=True,
    ),
    Family(
        "window_evidence_spend",
        "gauge",
        "The best figure of window_spend, by how it was obtained, in units of the currency label. evidence: "
        "exact (joined by an id), probable (joined by time and size), assumed (no completion log exists). "
        "basis: billed (a share of a settled bill) or estimated (usage x dated price).",
        ("window", "evidence", "basis", "currency"),
        money=True,
    ),
    Family(
        "window_retry_spend",
        "gauge",
        "The part of the window's orphaned spend that went for attempts which a later call superseded, in "
        "units of the currency label: paid once for nothing, and once more for the retry.",
        ("window", "service_name", "currency"),
        money=True,
    ),
    Family(
        "window_inference_spend",
        "gauge",
        "All inference spend in the window that ends with the last run, split by what became of it, in "
        "units of the currency label; billed where settled, estimated where not. unattributed: billed, but"
        " in no completion log.",
        ("window", "part", "currency"),
        money=True,
    ),
    Family(
        "aborts_total",
        "counter",
        "Calls whose client left before the whole response had arrived, by what became of the work. Each "
        "attempt counts once, when its verdict is first final.",
        ("provider", "model", "service_name", "reason", "verdict"),
    ),
    Family(
        "verdict_changes_total",
        "counter",
        "Final verdicts that later evidence changed.",
        ("from", "to"),
    ),
    Family(
        "abort_wait_seconds",
        "histogram",
        "How long the client had waited when it left, in seconds, from the start of the call.",
        ("provider", "model"),
    ),
    Family(
        "overrun_seconds",
        "histogram",
        "How long the backend ran on after the client had left, in seconds, up to the end of the completion.",
        ("provider", "model"),
    ),
    Family(
        "timeout_overrun_seconds",
        "histogram",
        "How long after a client's timeout the answer would have been complete, in seconds; only timeouts "
        "after which the backend ran on to its end. A timeout longer by this would have received it.",
        ("provider", "model", "service_name"),
    ),
    Family(
        "evidence_aborts",
        "gauge",
        "Aborts of the last 30 days by verdict and by the evidence for it; pending ones too.",
        ("verdict", "evidence"),
    ),
    Family(
        "match_confidence_ratio",
        "gauge",
        "Mean probability, between 0 and 1, of the last 30 days' matches that rest on time and size (evidence "
        "probable); absent where there is none.",
        ("provider", "model"),
    ),
    Family(
        "cancel_honored_aborts",
        "gauge",
        "Aborts of the last 30 days for which the backend stopped its work, as its own record (status "
        "cancelled) joined to the abort shows; processes that vanished included, failed calls not. The share "
        "honored is this / (this + cancel_ignored_aborts); export policies has its interval.",
        ("provider", "model", "mode"),
    ),
    Family(
        "cancel_ignored_aborts",
        "gauge",
        "Aborts of the last 30 days after which the backend worked on to its end, as its own record joined "
        "to the abort shows. Work that ended by itself within the time that stopping takes is in neither "
        "figure, nor are aborts without a record.",
        ("provider", "model", "mode"),
    ),
    Family(
        "settled_billed_spend",
        "gauge",
        "What was billed for inference over the last 30 settled days, in units of the currency label. Over "
        "settled_estimated_spend it is the drift of the price book.",
        ("provider", "currency"),
        money=True,
    ),
    Family(
        "settled_estimated_spend",
        "gauge",
        "What the price book says the usage of the last 30 settled days costs, in units of the currency label.",
        ("provider", "currency"),
        money=True,
    ),
    Family(
        "bill_settled_through_timestamp_seconds",
        "gauge",
        "Up to when the account's bill is settled, in seconds since 1970 UTC; figures before it come from the bill.",
        ("provider", "account"),
    ),
    Family(
        "source_up",
        "gauge",
        "1 if the last fetch of the source worked, else 0.",
        ("source",),
    ),
    Family(
        "source_last_success_timestamp_seconds",
        "gauge",
        "When a fetch of the source last worked, in seconds since 1970 UTC.",
        ("source",),
    ),
    Family(
        "source_watermark_timestamp_seconds",
        "gauge",
        "The instant up to which the source's records have been read, in seconds since 1970 UTC.",
        ("source",),
    ),
    Family(
        "source_records_total",
        "counter",
        "Everything that was read from the source, by what became of it; each line or entry is in exactly one outcome.",
        ("source", "outcome"),
    ),
    Family(
        "problems",
        "gauge",
        "Problems on record, by the source that they came from and by kind; export problems lists each.",
        ("source", "kind"),
    ),
    Family(
        "runs_total",
        "counter",
        "Runs by outcome: ok; problem (some source failed, the rest was done); invariant (the books did "
        "not add up and the run was rolled back); failed (the run could not be done at all; counted since "
        "the process started).",
        ("outcome",),
    ),
    Family(
        "run_duration_seconds",
        "histogram",
        "How long a run took, in seconds.",
    ),
    Family(
        "run_last_success_timestamp_seconds",
        "gauge",
        "When a run last ended with its figures committed, in seconds since 1970 UTC. All figures are of that run.",
    ),
    Family(
        "invariant_violations_total",
        "counter",
        "Runs that were rolled back because the books did not add up.",
    ),
    Family(
        "build_info",
        "gauge",
        "Always 1; the labels say what is running.",
        ("version", "python_version", "duckdb_version"),
    ),
)
BY_NAME = {family.name: family for family in FAMILIES}


def series_names() -> frozenset[str]:
    """Every name that a query may use: full names, with the three series of each histogram."""
    histograms = [family.full_name for family in FAMILIES if family.kind == "histogram"]
    plain = [family.full_name for family in FAMILIES if family.kind != "histogram"]
    return frozenset(plain + [name + suffix for name in histograms for suffix in ("_bucket", "_sum", "_count")])
