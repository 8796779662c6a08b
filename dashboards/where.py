"""Where and why: service x model x reason, waits and overruns, timeouts that fire too early, retries. For engineers."""

from dashboards import queries as q
from dashboards.panels import MONEY, SHARE, bars, lines, number, rows_of, runbook

UID = "orphaned-inference-where"
FILE = "where-and-why.json"
TITLE = "Orphaned inference / Where and why"
TEXT = "Which service loses money with which model for which reason, and what to change: timeouts, retries, cancelling."
TIME = "now-7d"
VARIABLES = ("currency", "window", "provider", "model", "service", "runbooks")

_FOUND = "Counted when the abort is first judged, within the time shown."
_CAUSES = ("service_name", "model", "reason")
_LATER = "|".join(f"{seconds}.0" for seconds in (1, 2, 5, 10, 20, 30, 60))

ROWS = (
    ("Who lost it, and why: period $window", (
        rows_of(
            "Service, model and reason: period $window, $currency",
            "The best figure of what was lost in the period, by who caused it: the 50 largest. Billed where the bill "
            "is settled, estimated where not. Take the first rows first.",
            [q.largest(q.lost("$window", *_CAUSES, only=q.CAUSE), 50)],
            [*zip(_CAUSES, ("Service", "Model", "Reason"), ("", "", ""), strict=True), ("Value", "Lost", MONEY)],
            size=(14, 11),
        ),
        bars(
            "By reason: period $window, $currency",
            "Why callers left, for the services and models chosen above. Best figures of the period.",
            (q.largest(q.lost("$window", "reason", only=q.CAUSE)), "{{reason}}"), size=(10, 11),
        ),
    )),
    ("Timeouts that fire just before the answer came", (
        bars(
            "Answers that were complete within so long after the timeout",
            "Of the timeouts after which the backend ran on to its end: the share whose answer was complete within so "
            f"many seconds. A timeout raised by that much would have received them. {_FOUND}",
            (
                "sort(" + q.share_of_all(
                    q.found("timeout_overrun_seconds_bucket", "le", only=f'le=~"{_LATER}", {q.CAUSE}'),
                    q.found("timeout_overrun_seconds_count", only=q.CAUSE),
                ) + ")",
                "{{le}} s later",
            ),
            unit=SHARE, top=1,
        ),
        runbook(bars(
            "A timeout 10 s longer would have received, by service",
            "The share of a service's timeouts whose answer was complete within 10 s after it, where the backend ran "
            f"on to its end. Raise the timeouts of the first ones. {_FOUND}",
            (
                q.largest(q.share(
                    q.found("timeout_overrun_seconds_bucket", "service_name", only=f'le="10.0", {q.CAUSE}'),
                    q.found("timeout_overrun_seconds_count", "service_name", only=q.CAUSE),
                )),
                "{{service_name}}",
            ),
            unit=SHARE, top=1,
        ), "TimeoutsTooShort"),
        number(
            "Timeouts counted here",
            "How many timeouts the shares on the left rest on: those after which the backend ran on to its end. Few "
            f"say little. {_FOUND}",
            [(q.found("timeout_overrun_seconds_count", only=q.CAUSE), "timeouts")],
            unit="none", size=(8, 8), decimals=0,
        ),
    )),
    ("Waits and overruns", (
        rows_of(
            "How long callers waited, and how long the backend ran on",
            "Per model: the median and the slowest tenth of the waits before callers left, and of the backend's work "
            f"after they had. Read off histograms, so between bounds. {_FOUND}",
            [
                q.quantile(0.5, "abort_wait_seconds", "provider", "model", only=q.MODEL),
                q.quantile(0.9, "abort_wait_seconds", "provider", "model", only=q.MODEL),
                q.quantile(0.5, "overrun_seconds", "provider", "model", only=q.MODEL),
                q.quantile(0.9, "overrun_seconds", "provider", "model", only=q.MODEL),
            ],
            [
                ("provider", "Provider", ""), ("model", "Model", ""), ("Value #A", "Waited, median", "s"),
                ("Value #B", "Waited, 90 %", "s"), ("Value #C", "Ran on, median", "s"),
                ("Value #D", "Ran on, 90 %", "s"),
            ],
            size=(16, 8),
        ),
        number(
            "Avoidable: period $window, $currency",
            "Generated after callers had left, all services: what a cancel that the backend honours would have saved "
            "in the period.",
            [(f'sum({q.P}window_avoidable_spend{{window="$window", {q.CURRENCY}}})', "avoidable")], size=(8, 8),
        ),
    )),
    ("Retries that pay twice, and cancels that do not arrive", (
        runbook(bars(
            "Lost on attempts that were tried again: period $window, $currency",
            "Paid once for nothing and once more for the retry, by service; part of the loss above. Best figures of "
            "the period.",
            (
                q.largest(
                    f'sum by (service_name) ({q.P}window_retry_spend{{window="$window", {q.CURRENCY}, '
                    'service_name=~"$service"})'
                ),
                "{{service_name}}",
            ),
        ), "RetriesPayTwice"),
        bars(
            "Backend stopped when its caller left, 30 days",
            "The share of aborts after which the backend's own record shows that it stopped, by model and kind of "
            "call. Near 0 %: cancelling does not reach it, or it does not listen.",
            (
                "sort(" + q.share(
                    f"sum by (model, mode) ({q.P}cancel_honored_aborts{{{q.MODEL}}})",
                    f"sum by (model, mode) ({q.P}cancel_honored_aborts{{{q.MODEL}}} + "
                    f"{q.P}cancel_ignored_aborts{{{q.MODEL}}})",
                ) + ")",
                "{{model}}, {{mode}}",
            ),
            unit=SHARE, top=1, steps=((None, "red"), (0.5, "orange"), (0.9, "green")),
        ),
        number(
            "Share of the loss that was tried again: period $window",
            "What was lost on attempts that a later call superseded, over all that was lost, for the services chosen.",
            [(
                q.share(
                    f'sum({q.P}window_retry_spend{{window="$window", {q.CURRENCY}, service_name=~"$service"}})',
                    q.lost("$window", only='service_name=~"$service"'),
                ),
                "tried again",
            )],
            unit=SHARE, size=(8, 8), decimals=1,
        ),
    )),
    ("Over time", (
        lines(
            "Aborts an hour, by reason", "Calls that were left, by why. Counted when the abort is first judged.",
            [(q.per_hour("aborts_total", "reason", only=q.CAUSE), "{{reason}}")], unit="none", stacked=True,
        ),
        lines(
            "Aborts an hour, by verdict",
            "What became of the work: orphaned (it ran on), cut short, delivered after all, failed, unmatched (no log "
            "shows it). Counted when the abort is first judged.",
            [(q.per_hour("aborts_total", "verdict", only=q.CAUSE), "{{verdict}}")], unit="none", stacked=True,
        ),
    )),
)  # fmt: skip
