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
    ("Period $window", (
        number(
            "Lost: period $window, $currency",
            "The best figure of what was lost in the period, for the providers, models and services chosen above. "
            "Billed where the bill is settled, estimated where not.",
            [(q.lost("$window", only=q.CAUSE), "lost")], size=(6, 4), steps=((None, "blue"),),
        ),
        number(
            "Avoidable: period $window, $currency",
            "Generated after callers had left, all services: what a cancel that the backend honours would have saved "
            "in the period.",
            [(f'sum({q.P}window_avoidable_spend{{window="$window", {q.CURRENCY}}})', "avoidable")], size=(6, 4),
        ),
        number(
            "Tried again, of the loss: period $window",
            "What was lost on attempts that a later call superseded, over all that was lost, for the services chosen.",
            [(
                q.share(
                    f'sum({q.P}window_retry_spend{{window="$window", {q.CURRENCY}, service_name=~"$service"}})',
                    q.lost("$window", only='service_name=~"$service"'),
                ),
                "tried again",
            )],
            unit=SHARE, size=(6, 4), decimals=1,
        ),
        number(
            "Timeouts that the backend outran, time shown",
            "How many timeouts the shares below rest on: those after which the backend ran on to its end. Few say "
            f"little. {_FOUND}",
            [(q.found("timeout_overrun_seconds_count", only=q.CAUSE), "timeouts")],
            unit="none", size=(6, 4), decimals=0,
        ),
    )),
    ("Who lost it, and why", (
        rows_of(
            "Service, model and reason: period $window, $currency",
            "The best figure of what was lost in the period, by who caused it: the 50 largest. Billed where the bill "
            "is settled, estimated where not. Take the first rows first.",
            [q.largest(q.lost("$window", *_CAUSES, only=q.CAUSE), 50)],
            [*zip(_CAUSES, ("Service", "Model", "Reason"), ("", "", ""), strict=True), ("Value", "Lost", MONEY)],
            size=(14, 10),
        ),
        bars(
            "By reason: period $window, $currency",
            "Why callers left, for the services and models chosen above. Best figures of the period.",
            (q.largest(q.lost("$window", "reason", only=q.CAUSE)), "{{reason}}"), size=(10, 10),
        ),
    )),
    ("Timeouts that fire just before the answer came, and retries that pay twice", (
        bars(
            "Answers complete so many seconds after the timeout",
            "Of the timeouts after which the backend ran on to its end: the share whose answer was complete within so "
            f"many seconds. A timeout raised by that much would have received them. {_FOUND}",
            (
                "sort(" + q.share_of_all(
                    q.found("timeout_overrun_seconds_bucket", "le", only=f'le=~"{_LATER}", {q.CAUSE}'),
                    q.found("timeout_overrun_seconds_count", only=q.CAUSE),
                ) + ")",
                "{{le}} s",
            ),
            unit=SHARE, top=1,
        ),
        runbook(bars(
            "A timeout 10 s longer would have received",
            "The share of a service's timeouts whose answer was complete within 10 s after it, where the backend ran "
            f"on to its end. Raise the timeouts of the first ones. {_FOUND}",
            (
                q.largest(q.share(
                    q.found("timeout_overrun_seconds_bucket", "service_name", only=f'le="10.0", {q.CAUSE}'),
                    q.found("timeout_overrun_seconds_count", "service_name", only=q.CAUSE),
                ), 8),
                "{{service_name}}",
            ),
            unit=SHARE, top=1,
        ), "TimeoutsTooShort"),
        runbook(bars(
            "Lost, and tried again: period $window, $currency",
            "Lost on attempts that a later call superseded, by service: paid once for nothing and once more for the "
            "retry; part of the loss above. Best figures of the period.",
            (
                q.largest(
                    f'sum by (service_name) ({q.P}window_retry_spend{{window="$window", {q.CURRENCY}, '
                    'service_name=~"$service"})', 8
                ),
                "{{service_name}}",
            ),
        ), "RetriesPayTwice"),
    )),
    ("Waits, overruns, and cancels that do not arrive", (
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
            size=(15, 8),
        ),
        bars(
            "Backend stopped when its caller left, 30 days",
            "The share of aborts after which the backend's own record shows that it stopped, by model and kind of "
            "call: the eight lowest. Near 0 %: cancelling does not reach it, or it does not listen.",
            (
                "sort(bottomk(8, " + q.share(
                    f"sum by (model, mode) ({q.P}cancel_honored_aborts{{{q.MODEL}}})",
                    f"sum by (model, mode) ({q.P}cancel_honored_aborts{{{q.MODEL}}} + "
                    f"{q.P}cancel_ignored_aborts{{{q.MODEL}}})",
                ) + "))",
                "{{model}}, {{mode}}",
            ),
            unit=SHARE, size=(9, 8), top=1, steps=((None, "red"), (0.5, "orange"), (0.9, "green")),
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
