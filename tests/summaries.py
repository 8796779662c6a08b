"""Made-up summaries for the tests of what is drawn from them: every family with a figure, and no ledger."""

from dataclasses import replace

from collector.exporters import catalogue
from collector.records import (
    HistogramSeries,
    LedgerSummary,
    ProblemCount,
    RunRecord,
    RunSummary,
    Series,
    SourceStatus,
    WindowSpend,
)

NOW_US = 1_795_600_000_000_000  # 2026-11-25T09:46:40Z
HOUR_US = 3_600_000_000
_USD = 1_000_000_000
_CALL = ("gcp.vertex_ai", "gemini-3.5-flash", "chat-api")


def window(name: str, *, best: int, total: int, currency: str = "USD") -> WindowSpend:
    """One window with `best` units orphaned of `total` units of inference (whole units of the currency)."""
    parts = {"delivered": (total - best) * _USD, "orphaned": best * _USD, "cut_short": 0, "failed": 0}
    return WindowSpend(
        window=name,
        currency=currency,
        low_nano=best * _USD // 2,
        best_nano=best * _USD,
        high_nano=best * _USD * 2,
        avoidable_nano=best * _USD // 4,
        parts={**parts, "unattributed": 0},
    )


def window_families(windows: tuple[WindowSpend, ...]) -> dict[str, tuple[Series, ...]]:
    """The three families of windows, as the ledger would state them."""
    bounds = {"low": "low_nano", "best": "best_nano", "high": "high_nano"}
    return {
        "window_spend": tuple(
            Series((one.window, bound, one.currency), getattr(one, attribute))
            for one in windows
            for bound, attribute in bounds.items()
        ),
        "window_avoidable_spend": tuple(Series((one.window, one.currency), one.avoidable_nano) for one in windows),
        "window_inference_spend": tuple(
            Series((one.window, part, one.currency), nano) for one in windows for part, nano in one.parts.items()
        ),
    }


def families(windows: tuple[WindowSpend, ...]) -> dict[str, tuple[Series, ...]]:
    """Every family that is no histogram, with at least one series."""
    spend = (*_CALL, "timeout", "USD")
    return {
        **window_families(windows),
        "recognized_spend_total": (Series(spend, 12_345_678_901), Series((*_CALL, 'a"b\\c\nd', "EUR"), 1)),
        "spend_corrected_up_total": (Series(spend, 500_000_000),),
        "spend_corrected_down_total": (Series(spend, 250_000_000),),
        "aborts_total": (Series((*_CALL, "timeout", "orphaned"), 7),),
        "verdict_changes_total": (Series(("unmatched", "orphaned"), 2),),
        "window_lost_spend": (Series(("7d", *spend), 12 * _USD),),
        "window_evidence_spend": (Series(("7d", "exact", "billed", "USD"), 12 * _USD),),
        "evidence_aborts": (Series(("orphaned", "exact"), 7),),
        "match_confidence_ratio": (Series(_CALL[:2], 0.875),),
        "problems": (Series(("app", "bad_line"), 3),),
        "window_retry_spend": (Series(("7d", "chat-api", "USD"), 1_500_000_000),),
        "cancel_honored_aborts": (Series((*_CALL[:2], "stream"), 3),),
        "cancel_ignored_aborts": (Series((*_CALL[:2], "stream"), 44),),
        "settled_billed_spend": (Series(("gcp.vertex_ai", "USD"), 310 * _USD),),
        "settled_estimated_spend": (Series(("gcp.vertex_ai", "USD"), 300 * _USD),),
        "bill_settled_through_timestamp_seconds": (
            Series(("gcp.vertex_ai", "acme-prod"), (NOW_US - 50 * HOUR_US) // 1_000_000),
        ),
        "source_up": (Series(("app",), 1), Series(("backend",), 0)),
        "source_last_success_timestamp_seconds": (Series(("app",), NOW_US // 1_000_000 - 30),),
        "source_watermark_timestamp_seconds": (Series(("app",), NOW_US // 1_000_000 - 90),),
        "source_records_total": (Series(("app", "new"), 1000), Series(("app", "problem"), 3)),
        "runs_total": (Series(("ok",), 41), Series(("problem",), 1)),
        "run_last_success_timestamp_seconds": (Series((), NOW_US // 1_000_000),),
        "build_info": (Series(("0.1.0", "3.11.7", "1.5.6"), 1),),
    }


def summary(**changed: object) -> LedgerSummary:
    """A summary after 42 runs over two sources, one of them down; `changed` replaces fields."""
    windows = tuple(window(name, best=12, total=400) for name in catalogue.WINDOWS)
    waits = HistogramSeries(_CALL[:2], ((1.0, 0), (10.0, 4), (float("inf"), 7)), 61.5)
    fields: dict[str, object] = {
        "as_of_us": NOW_US,
        "recorded_at_us": NOW_US,
        "currency": "USD",
        "families": families(windows),
        "histograms": {
            "abort_wait_seconds": (waits,),
            "overrun_seconds": (waits,),
            "timeout_overrun_seconds": (replace(waits, labels=_CALL),),
            "run_duration_seconds": (HistogramSeries((), ((1.0, 40), (float("inf"), 42)), 12.25),),
        },
        "windows": windows,
        "sources": (
            SourceStatus("app", "client-log", True, "", NOW_US, NOW_US - 90_000_000, {"new": 1000, "problem": 3}),
            SourceStatus("backend", "cloud-logging-file", False, "cannot read <b>x</b>", None, None, {}),
        ),
        "problems": (ProblemCount("app", "bad_line", 3, NOW_US - HOUR_US, "not JSON: <script>alert(1)</script>"),),
        "runs": (
            RunRecord(42, NOW_US, "problem", 180, 12),
            RunRecord(41, NOW_US - HOUR_US, "invariant", 180, 0),
        ),
    }
    return LedgerSummary(**{**fields, **changed})  # type: ignore[arg-type]


def before_first_run() -> LedgerSummary:
    """What an empty ledger has to show: two sources in the config, and nothing read."""
    return LedgerSummary(
        as_of_us=0,
        recorded_at_us=None,
        currency="USD",
        families={},
        histograms={},
        windows=(),
        sources=(SourceStatus("app", "client-log", True, "", None, None, {}),),
        problems=(),
        runs=(),
    )


def run_summary(run_id: int = 1, outcome: str = "ok", *, sources_failed: tuple[str, ...] = ()) -> RunSummary:
    """What a run that went well hands over; its ledger shows `run_id` runs."""
    ledger = summary(families={**summary().families, "runs_total": (Series(("ok",), run_id),)})
    return RunSummary(
        run=RunRecord(run_id, NOW_US, outcome, 17, 5),
        sources_failed=sources_failed,
        counts={"new": 5, "duplicate": 1},
        ledger=ledger,
    )
