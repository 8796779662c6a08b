"""The alerts: when to tell someone, whom it concerns (labels), and what is told.

`Values` come in, rules go out. An alert is told with its amount, unit and period, and leads to a runbook. Clauses
stand one a line, joined by `and` and `unless`, so that a test can take each away and see that it was needed.
"""

import re
from collections.abc import Mapping
from typing import Literal

from rules.recording import (
    ANSWERED_SOON,
    BEHIND,
    BUDGET,
    DRIFT,
    LEAK_LEVELS,
    SHARE,
    TIMEOUTS,
    UNATTRIBUTED_SHARE,
    leak,
    lost,
    spent,
)
from rules.rule import Rule
from rules.values import BUDGET_S, Age, Burn, Values, seconds, words

Severity = Literal["critical", "warning", "info"]
MONEY = '{{ $value | printf "%.2f" }} {{ $labels.currency }}'
PERCENT = "{{ $value | humanizePercentage }}"
UP = "orphaned_inference_source_up"
WATERMARK = "orphaned_inference_source_watermark_timestamp_seconds"
AGE = "{{ $value | humanizeDuration }}"


def alerts(values: Values) -> list[Rule]:
    """Every alert, money first."""
    return [
        *_burning_fast(values),
        *_burning_slow(values),
        _share_high(values),
        *_leaking(values),
        _timeouts(values),
        _retries(values),
        *_bill(values),
        _unattributed(values),
        *_sources(values),
        *_collector(values),
        _budget_missing(values),
    ]


def _alert(
    values: Values,
    name: str,
    expr: str,
    *,
    severity: Severity,
    summary: str,
    description: str,
    why: str,
    hold: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Rule:
    """An alert in the order in which people read it; `hold` is Prometheus' `for`."""
    keys: dict[str, object] = {"alert": name, "expr": expr, **({"for": hold} if hold else {})}
    keys["labels"] = {"severity": severity, **(labels or {}), **values.labels}
    keys["annotations"] = {
        "summary": summary,
        "description": description,
        "runbook_url": f"{values.runbooks}/{name}.md",
    }
    return Rule(keys, why)


def _every(*clauses: str) -> str:
    """All of the clauses, for the same currency."""
    return "\n  and on (currency)\n".join(clauses)


def _budget(share: float, window: str) -> str:
    """A part of the budget that falls to a window."""
    return f"{share:g} * {seconds(window)} / {BUDGET_S} * {BUDGET}"


def _over(amount: str, share: float, window: str, *, wider: bool = False) -> str:
    """`amount` above a part of the window's budget; `wider`: it has more labels than the currency."""
    matching = " on (currency) group_left ()" if wider else ""
    return f"{amount}\n  >{matching} {_budget(share, window)}"


def _pace(burn: Burn) -> str:
    """How much, in which time, against which budget."""
    times = "" if burn.multiple == 1 else f"{burn.multiple:g} times "
    return (
        f"{MONEY} of orphaned spend in the last {words(burn.long)}: more than {times}what the budget of 30 days allows in "
        f"that time, and no slower in the last {words(burn.short)}."
    )


def _burning_fast(values: Values) -> list[Rule]:
    return [_burning_fast_in(values, burn) for burn in values.burning_fast.windows]


def _burning_fast_in(values: Values, burn: Burn) -> Rule:
    expr = _every(
        _over(spent(burn.long, values), burn.multiple, burn.long),
        _over(spent(burn.short, values), burn.multiple, burn.short),
        _over(lost("1d"), burn.multiple, burn.long),
    )
    if burn.long in values.found_windows:
        expr += f"\n  unless on ()\n{BEHIND}{burn.long} > 0"
    return _alert(
        values,
        "OrphanedSpendBurningFast",
        expr,
        hold=values.burning_fast.hold,
        severity="critical",
        labels={"long": burn.long, "short": burn.short},
        summary="The budget for orphaned inference is burning fast.",
        description=_pace(burn),
        why="Much in the long window, still in the short one, and the last day's work cost as much: what was found is\n"
        "neither an old day's correction nor a backlog.",
    )


def _burning_slow(values: Values) -> list[Rule]:
    return [
        _alert(
            values,
            "OrphanedSpendBurningSlow",
            _every(
                _over(spent(burn.long, values), burn.multiple, burn.long),
                _over(spent(burn.short, values), burn.multiple, burn.short),
            ),
            hold=values.burning_slow.hold,
            severity="warning",
            labels={"long": burn.long, "short": burn.short},
            summary="The budget for orphaned inference will not last.",
            description=_pace(burn),
            why="The ledger's own windows go by when the work was done, so that late bills and backlogs stand right.",
        )
        for burn in values.burning_slow.windows
    ]


def _share_high(values: Values) -> Rule:
    limit = values.share_high
    return _alert(
        values,
        "OrphanedSpendShareHigh",
        _every(f'{SHARE}{{window="{limit.window}"}} > {limit.share:g}', _over(lost(limit.window), limit.budget_share, limit.window)),
        hold=limit.hold,
        severity="warning",
        summary="A large share of inference spend produced results that reached nobody.",
        description=f"{PERCENT} of the {{{{ $labels.currency }}}} spent on inference in the last {words(limit.window)} "
        f"went into work whose result reached nobody; the limit is {100 * limit.share:g} %.",
        why="A share, and enough money for the share to matter.",
    )


def _leaking(values: Values) -> list[Rule]:
    limit = values.leaking
    told = {
        "service_name_currency": ("OrphanedServiceLeaking", "service", "{{ $labels.service_name }}"),
        "provider_model_currency": ("OrphanedModelLeaking", "model", "{{ $labels.model }} at {{ $labels.provider }}"),
    }
    rules = []
    for level, (name, noun, who) in told.items():
        labels = LEAK_LEVELS[level]
        day = f'sum by ({labels}) (orphaned_inference_window_lost_spend{{window="1d"}})'
        rules.append(
            _alert(
                values,
                name,
                f"{_over(day, limit.budget_share, '1d', wider=True)}\n  and on ({labels})\n{leak(level)} > {limit.times:g}",
                hold=limit.hold,
                severity="warning",
                summary=f"A {noun} loses much more inference money than it used to.",
                description=f"Work for {who} that reached nobody cost {MONEY} in the last day: more than "
                f"{limit.times:g} times its mean day of the six days before.",
                why="Against its own past, by when the work was done; a currency without a budget has no measure.",
            )
        )
    return rules


def _timeouts(values: Values) -> Rule:
    limit = values.timeouts
    return _alert(
        values,
        "OrphanedTimeoutsTooShort",
        f"{ANSWERED_SOON}:ratio1d > {limit.share:g}\n  and on (provider, model, service_name)\n"
        f"{TIMEOUTS}:delta1d >= {limit.at_least:g}",
        hold=limit.hold,
        severity="warning",
        summary="Timeouts fire just before the answers come.",
        description=f"{PERCENT} of the timeouts of {{{{ $labels.service_name }}}} at {{{{ $labels.model }}}} in the last "
        f"day came no more than {words(limit.within)} before the answer was complete. It was paid for all the same.",
        why="Only timeouts whose work ran on to its end count; of a few, a share says nothing.",
    )


def _retries(values: Values) -> Rule:
    limit = values.retries
    amount = f'sum by (service_name, currency) (orphaned_inference_window_retry_spend{{window="{limit.window}"}})'
    return _alert(
        values,
        "OrphanedRetriesPayTwice",
        _over(amount, limit.budget_share, limit.window, wider=True),
        hold=limit.hold,
        severity="warning",
        summary="Retries pay for the same work again.",
        description=f"In the last {words(limit.window)} {{{{ $labels.service_name }}}} lost {MONEY} on attempts that a "
        "later attempt repeated: the backend finished both.",
        why="Only the attempts that a later one superseded: the last one of each chain is not in it.",
    )


def _bill(values: Values) -> list[Rule]:
    return [_drifting(values), _late(values)]


def _drifting(values: Values) -> Rule:
    limit = values.bill_drift
    billed = "sum by (provider, currency) (orphaned_inference_settled_billed_spend)"
    either = f"({DRIFT} > {1 + limit.share:g} or {DRIFT} < {1 - limit.share:g})"
    return _alert(
        values,
        "OrphanedBillDrifting",
        f"{either}\n  and on (provider, currency)\n{_over(billed, limit.budget_share, '30d', wider=True)}",
        hold=limit.hold,
        severity="warning",
        summary="The bill and the price book disagree.",
        description="{{ $labels.provider }} billed "
        f"{PERCENT} of what the price book says, in {{{{ $labels.currency }}}}, over the last 30 settled days; up to "
        f"{limit.share:.0%} either way is usual.",
        why="Of what stands in the logs; calls that no log shows are not in it.",
    )


def _aged(metric: str, label: str, limit: Age) -> str:
    """Everything older than it may be: the overrides by their own limit, the rest by the common one."""
    named = "|".join(map(re.escape, limit.overrides)).replace("\\", "\\\\")
    rest = f'{{{label}!~"{named}"}}' if limit.overrides else ""
    pairs = [(rest, limit.after), *((f'{{{label}="{name}"}}', after) for name, after in limit.overrides.items())]
    aged = [f"time() - {metric}{matcher} > {seconds(after)}" for matcher, after in pairs]
    return aged[0] if len(aged) == 1 else "({})".format("\n  or\n".join(aged))


def _late(values: Values) -> Rule:
    return _alert(
        values,
        "OrphanedBillLate",
        _aged("orphaned_inference_bill_settled_through_timestamp_seconds", "provider", values.bill_late),
        hold=values.bill_late.hold,
        severity="warning",
        summary="A bill has not been settled for days.",
        description="The bill of {{ $labels.provider }}, account {{ $labels.account }}, is settled only up to "
        f"{AGE} ago. Everything after that is an estimate.",
        why="A bill that never came has no instant here: OrphanedSourceStale tells of it.",
    )


def _unattributed(values: Values) -> Rule:
    limit = values.unattributed
    amount = 'sum by (currency) (orphaned_inference_window_inference_spend{window="7d",part="unattributed"})'
    return _alert(
        values,
        "OrphanedUnattributedGrowing",
        _every(
            f'{UNATTRIBUTED_SHARE}{{window="7d"}} > {limit.share:g}',
            f'{UNATTRIBUTED_SHARE}{{window="7d"}}\n'
            f'  > on (currency) {limit.times:g} * {UNATTRIBUTED_SHARE}{{window="30d"}}',
            _over(amount, limit.budget_share, "7d"),
        ),
        hold=limit.hold,
        severity="warning",
        summary="More of the bill than usual stands in no completion log.",
        description=f"{PERCENT} of the {{{{ $labels.currency }}}} spent on inference in the last 7 days belongs to no "
        f"logged completion, more than {limit.times:g} times the share of the last 30 days. Orphaned calls may hide there.",
        why="Large, larger than usual, and enough money to matter.",
    )


def _sources(values: Values) -> list[Rule]:
    down = _alert(
        values,
        "OrphanedSourceDown",
        f"{UP} == 0",
        hold=values.source_down.hold,
        severity="warning",
        summary="A source cannot be read.",
        description=f"Source {{{{ $labels.source }}}} has failed for {words(values.source_down.hold)}. What it would tell "
        "is missing from every figure.",
        why="The collector goes on with the others, and its place is kept.",
    )
    return [down, *_stale(values)]


def _stale(values: Values) -> list[Rule]:
    limit = values.source_stale
    summary = "A source can be read but brings nothing new."
    late = _alert(
        values,
        "OrphanedSourceStale",
        f"{_aged(WATERMARK, 'source', limit)}\n  and on (job, instance, source)\n{UP} == 1",
        hold=limit.hold,
        severity="warning",
        summary=summary,
        description=f"Source {{{{ $labels.source }}}} has been read up to {AGE} ago and no further, although reading it "
        "works. Verdicts wait for it.",
        why="A source that is down has an alert of its own.",
    )
    never = _alert(
        values,
        "OrphanedSourceStale",
        f"{UP} == 1\n  unless on (job, instance, source)\n{WATERMARK}",
        hold=limit.after,
        severity="warning",
        labels={"watermark": "none"},
        summary=summary,
        description=f"Source {{{{ $labels.source }}}} has been read for {words(limit.after)} and has never brought a "
        "record.",
        why="What never brought a record has no watermark that could be old.",
    )
    return [late, never]


def _collector(values: Values) -> list[Rule]:
    up = f'up{{job=~"{values.prometheus.job}"}} == 0'
    success = "orphaned_inference_run_last_success_timestamp_seconds"
    age = values.collector_down.run_age
    down = _alert(
        values,
        "OrphanedCollectorDown",
        f"{up}\n  or\nabsent(orphaned_inference_build_info) unless on () {up}\n  or\n"
        f"time() - {success} > {seconds(age)}\n  or\n"
        f"orphaned_inference_build_info unless on (job, instance) {success}",
        hold=values.collector_down.hold,
        severity="critical",
        summary="The collector is not running, or its runs do not succeed.",
        description="{{ with $labels.instance }}The collector {{ . }}{{ else }}Every collector{{ end }} cannot be scraped, "
        f"or has had no good run for {words(age)}. All figures stand still, and no money alert can fire.",
        why="A target that is down; none at all; then a process that answers scrapes while its runs fail, or never went\n"
        "well.",
    )
    broken = _alert(
        values,
        "OrphanedInvariantBroken",
        f"increase(orphaned_inference_invariant_violations_total[{values.invariant_broken.within}]) > 0",
        severity="critical",
        summary="The books did not add up, and a run was rolled back.",
        description="{{ $labels.instance }} rolled back a run in the last "
        f"{words(values.invariant_broken.within)} because its figures contradicted each other. It still shows those of "
        "the last good run.",
        why="This counter stands at 0 before its first use, so increase() misses nothing. Told at once.",
    )
    return [down, broken]


def _budget_missing(values: Values) -> Rule:
    spend = 'sum by (currency) (orphaned_inference_window_inference_spend{window="30d"}) > 0'
    return _alert(
        values,
        "OrphanedBudgetMissing",
        f"{spend}\n  unless on (currency)\n{BUDGET}",
        hold=values.budget_missing.hold,
        severity="info",
        summary="A currency has no budget for orphaned inference.",
        description=f"{MONEY} were spent on inference in the last 30 days, and this currency has no budget: no alert "
        "watches its money.",
        why="Without a budget the alerts on money have no measure, and silence would look like health.",
    )
