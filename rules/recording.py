"""The recording rules: figures that several panels or alerts share, each under one name.

`Values` come in, rules go out. Every recorded series is without job and instance, because the figures are the
ledger's and outlive the process that shows them. Where nothing is known, nothing is recorded; never 0 instead.
"""

from rules.rule import Rule, recorded
from rules.values import BUDGET_S, Values, seconds

BUDGET = "currency:orphaned_inference_budget:amount30d"
FOUND = "currency:orphaned_inference_spend"
NET = "provider_model_service_name_reason_currency:orphaned_inference_spend:net"
SHARE = "window_currency:orphaned_inference_spend_share:ratio"
UNATTRIBUTED_SHARE = "window_currency:orphaned_inference_unattributed_share:ratio"
DRIFT = "provider_currency:orphaned_inference_billed_over_estimated:ratio"
COLLECTORS = "orphaned_inference:collectors:count"
BEHIND = "orphaned_inference:sources_behind:count"
TIMEOUTS = "provider_model_service_name:orphaned_inference_timeouts"
ANSWERED_SOON = "provider_model_service_name:orphaned_inference_timeouts_answered_soon"
LEAK_LEVELS = {
    "service_name_currency": "service_name, currency",
    "provider_model_currency": "provider, model, currency",
}


def recording(values: Values) -> list[Rule]:
    """Every recording rule, those that others read first."""
    return [
        *_shares(),
        *_budget(values),
        *_found(values),
        *_burn(values),
        *_leaks(values),
        *_timeouts(values),
        _drift(),
    ]


def spent(window: str, values: Values) -> str:
    """Orphaned money of a burn window, by currency: the ledger's figure where it has that window."""
    return f"{FOUND}:delta{window}" if window in values.found_windows else lost(window)


def lost(window: str) -> str:
    """The best figure of one of the ledger's windows, by currency."""
    return f'sum by (currency) (orphaned_inference_window_spend{{window="{window}",bound="best"}})'


def inference(window: str) -> str:
    """All inference spend of one of the ledger's windows, by currency."""
    return f'sum by (currency) (orphaned_inference_window_inference_spend{{window="{window}"}})'


def every(*clauses: str) -> str:
    """All of the clauses, for the same currency."""
    return "\n  and on (currency)\n".join(clauses)


def over(amount: str, share: float, window: str, *, wider: bool = False) -> str:
    """`amount` above that part of the window's budget; `wider`: it has more labels than the currency."""
    matching = " on (currency) group_left ()" if wider else ""
    return f"{amount}\n  >{matching} {share:g} * {seconds(window)} / {BUDGET_S} * {BUDGET}"


def leak(level: str) -> str:
    """The name of the ratio of a day to the mean day before, for one of LEAK_LEVELS."""
    return f"{level}:orphaned_inference_leak:ratio1d"


def _shares() -> list[Rule]:
    by = "sum by (window, currency)"
    total = f"({by} (orphaned_inference_window_inference_spend) > 0)"
    best = f'{by} (orphaned_inference_window_spend{{bound="best"}})'
    unattributed = f'{by} (orphaned_inference_window_inference_spend{{part="unattributed"}})'
    return [
        recorded(
            SHARE,
            f"{best}\n  /\n{total}",
            "Orphaned spend over all inference spend of the same window and currency; absent where nothing was spent.",
        ),
        recorded(
            UNATTRIBUTED_SHARE,
            f"{unattributed}\n  /\n{total}",
            "What was billed but stands in no completion log, over all inference spend.",
        ),
        recorded(
            "window_currency:orphaned_inference_avoidable_share:ratio",
            f"{by} (orphaned_inference_window_avoidable_spend)\n  /\n({best} > 0)",
            "What was generated after the abort, over all orphaned spend; absent where nothing is orphaned.",
        ),
    ]


def _budget(values: Values) -> list[Rule]:
    why = "What may be orphaned in 30 days, in units of the currency."
    amounts = [
        recorded(BUDGET, f"vector({amount})", why, labels={"currency": currency})
        for currency, amount in values.budget_per_30d.items()
    ]
    best = 'sum by (window, currency) (orphaned_inference_window_spend{window=~"30d|month",bound="best"})'
    used = recorded(
        "window_currency:orphaned_inference_budget_spent:ratio",
        f"{best}\n  / on (currency) group_left ()\n{BUDGET}",
        "The part of that budget that is spent: of the last 30 days, and of this month (UTC).",
    )
    return [*amounts, used]


def _found(values: Values) -> list[Rule]:
    """By how much the net figure changed, for windows that the ledger does not have."""
    net = recorded(
        NET,
        "sum by (provider, model, service_name, reason, currency) (\n"
        '  label_replace(orphaned_inference_recognized_spend_total, "step", "recognized", "", "")\n'
        '    or label_replace(orphaned_inference_spend_corrected_up_total, "step", "up", "", "")\n'
        '    or label_replace(-orphaned_inference_spend_corrected_down_total, "step", "down", "", "")\n'
        ")",
        "Spend as it is known now, by who caused it: three counters that only grow make one figure that may fall.\n"
        "A correction may stand on labels that never had spend of their own, so the three are put side by side.",
    )
    whole = recorded(
        f"{FOUND}:net", f'sum by (currency) ({NET}{{currency!=""}})', "The same by currency; unknown money has none."
    )
    collectors = recorded(
        COLLECTORS,
        "count(orphaned_inference_run_last_success_timestamp_seconds)",
        "Collectors that have figures: says, later, whether Prometheus knew them at an instant.",
    )
    grown = [
        recorded(
            f"{FOUND}:delta{window}",
            _grown(f"{FOUND}:net", window, values),
            "By how much it changed. Not increase(): that would miss what a new currency begins with, and would\n"
            "take another process that shows the same ledger for a new counter.",
        )
        for window in values.found_windows
    ]
    by_cause = [
        recorded(
            NET.replace(":net", f":delta{burn.long}"),
            _grown(NET, burn.long, values),
            "The same by who caused it: what whoever is on call asks first.",
        )
        for burn in values.burning_fast.windows
        if burn.long in values.found_windows
    ]
    return [net, whole, collectors, *grown, *by_cause, *_behind(values)]


def _grown(series: str, window: str, values: Values) -> str:
    """The change of a recorded sum over `window`; a new series began at 0, if the collector was known then."""
    before = f"last_over_time({series}[{values.prometheus.lookback}] offset {window})"
    known = f"last_over_time({COLLECTORS}[{values.prometheus.lookback}] offset {window})"
    return f"{series}\n  -\n(\n  {before}\n    or\n  0 * {series}\n    and on ()\n  {known}\n)"


def _behind(values: Values) -> list[Rule]:
    """Sources that brought a backlog within a window: what they bring was spent before."""
    success = "orphaned_inference_source_last_success_timestamp_seconds"
    behind_s = seconds(values.burning_fast.behind)
    return [
        recorded(
            f"{BEHIND}{burn.long}",
            f"count(\n  max by (source) ({success}) > time() - {seconds(burn.long)}\n    unless on (source)\n"
            f"  max by (source) (last_over_time({success}[{values.prometheus.lookback}] offset {burn.long}))"
            f" > time() - {seconds(burn.long)} - {behind_s}\n)\n  or\nvector(0)",
            f"Sources read within {burn.long} that, {burn.long} ago, had not been read for {values.burning_fast.behind}"
            " or were not there.",
        )
        for burn in values.burning_fast.windows
        if burn.long in values.found_windows
    ]


def _burn(values: Values) -> list[Rule]:
    """How many times faster than the budget allows, for the long windows."""
    return [
        recorded(
            f"currency:orphaned_inference_budget_burn:multiple{burn.long}",
            f"{spent(burn.long, values)}\n  /\n({BUDGET} * {seconds(burn.long)} / {BUDGET_S})",
            "How many times faster than the budget allows; at 1 it lasts exactly 30 days.",
        )
        for burn in values.burns
    ]


def _leaks(values: Values) -> list[Rule]:
    """The last day over the mean of the six days before, by service and by model."""
    past = f"{inference('7d')} - {inference('1d')}\n  >=\n{values.leaking.past:g} * {inference('1d')}"
    rules = []
    for level, labels in LEAK_LEVELS.items():
        day = f'sum by ({labels}) (orphaned_inference_window_lost_spend{{window="1d"}})'
        week = f'sum by ({labels}) (orphaned_inference_window_lost_spend{{window="7d"}})'
        rules.append(
            recorded(
                leak(level),
                f"({day} > 0)\n  /\n(clamp_min({week} - {day}, 0) / 6)\n  and on (currency)\n({past})",
                "Orphaned spend of the last day over the mean day of the six before; +Inf where these had none,\n"
                "absent where too little is known of them.",
            )
        )
    return rules


def _timeouts(values: Values) -> list[Rule]:
    """Timeouts of a day whose work ran on to its end, and the share whose answer came soon."""
    labels = "provider, model, service_name"
    bound = f"{float(seconds(values.timeouts.within))}"
    soon = f'orphaned_inference_timeout_overrun_seconds_bucket{{le="{bound}"}}'
    count = "orphaned_inference_timeout_overrun_seconds_count"
    within = f"whose answer was complete within {values.timeouts.within}"
    return [
        recorded(f"{TIMEOUTS}:sum", f"sum by ({labels}) ({count})", "Timeouts whose work was orphaned, ever."),
        recorded(f"{ANSWERED_SOON}:sum", f"sum by ({labels}) ({soon})", f"Those {within}, ever."),
        recorded(f"{TIMEOUTS}:delta1d", _grown(f"{TIMEOUTS}:sum", "1d", values), "The same of the last day."),
        recorded(
            f"{ANSWERED_SOON}:delta1d", _grown(f"{ANSWERED_SOON}:sum", "1d", values), "And of these the soon ones."
        ),
        recorded(
            f"{ANSWERED_SOON}:ratio1d",
            f"{ANSWERED_SOON}:delta1d\n  /\n({TIMEOUTS}:delta1d > 0)",
            f"The share of the last day's timeouts {within}.",
        ),
    ]


def _drift() -> Rule:
    by = "sum by (provider, currency)"
    return recorded(
        DRIFT,
        f"{by} (orphaned_inference_settled_billed_spend)\n  /\n({by} (orphaned_inference_settled_estimated_spend) > 0)",
        "What the last 30 settled days were billed, over what the price book says; at 1 they agree.",
    )
