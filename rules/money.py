"""The alerts on money: burn rates, shares, leaks, timeouts, retries, and a currency without a budget.

`Values` come in, alerts go out. Clauses stand one a line, joined by `and` and `unless`, so that a test can take each
away and see that it was needed. Every amount is measured against the budget of its own currency.
"""

from rules.recording import (
    ANSWERED_SOON,
    BEHIND,
    BUDGET,
    LEAK_LEVELS,
    SHARE,
    TIMEOUTS,
    every,
    leak,
    lost,
    over,
    spent,
)
from rules.rule import MONEY, PERCENT, Alert, label
from rules.values import Burn, Values, words


def money(values: Values) -> list[Alert]:
    """Every alert on money, the most urgent first."""
    return [
        *_burning_fast(values),
        *_burning_slow(values),
        _share_high(values),
        *_leaking(values),
        _timeouts(values),
        _retries(values),
        _budget_missing(values),
    ]


def _pace(burn: Burn) -> str:
    """How much, in which time, against which budget."""
    times = "" if burn.multiple == 1 else f"{burn.multiple:g} times "
    return (
        f"{MONEY} of orphaned spend in the last {words(burn.long)}: more than {times}what the budget of 30 days "
        f"allows in that time, and no slower in the last {words(burn.short)}."
    )


def _burning_fast(values: Values) -> list[Alert]:
    return [_burning_fast_in(values, burn) for burn in values.burning_fast.windows]


def _burning_fast_in(values: Values, burn: Burn) -> Alert:
    expr = every(
        over(spent(burn.long, values), burn.multiple, burn.long),
        over(spent(burn.short, values), burn.multiple, burn.short),
        over(lost("1d"), burn.multiple, burn.long),
    )
    if burn.long in values.found_windows:
        expr += f"\n  unless on ()\n{BEHIND}{burn.long} > 0"
    return Alert(
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


def _burning_slow(values: Values) -> list[Alert]:
    return [
        Alert(
            "OrphanedSpendBurningSlow",
            every(
                over(spent(burn.long, values), burn.multiple, burn.long),
                over(spent(burn.short, values), burn.multiple, burn.short),
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


def _share_high(values: Values) -> Alert:
    limit = values.share_high
    return Alert(
        "OrphanedSpendShareHigh",
        every(
            f'{SHARE}{{window="{limit.window}"}} > {limit.share:g}',
            over(lost(limit.window), limit.budget_share, limit.window),
        ),
        hold=limit.hold,
        severity="warning",
        summary="A large share of inference spend produced results that reached nobody.",
        description=f"{PERCENT} of the {label('currency')} spent on inference in the last {words(limit.window)} "
        f"went into work whose result reached nobody; the limit is {100 * limit.share:g} %.",
        why="A share, and enough money for the share to matter.",
    )


def _leaking(values: Values) -> list[Alert]:
    limit = values.leaking
    told = {
        "service_name_currency": ("OrphanedServiceLeaking", "service", "{{ $labels.service_name }}"),
        "provider_model_currency": ("OrphanedModelLeaking", "model", "{{ $labels.model }} at {{ $labels.provider }}"),
    }
    rules = []
    for level, (name, noun, who) in told.items():
        labels = LEAK_LEVELS[level]
        day = f'sum by ({labels}) (orphaned_inference_window_lost_spend{{window="1d"}})'
        much = over(day, limit.budget_share, "1d", wider=True)
        rules.append(
            Alert(
                name,
                f"{much}\n  and on ({labels})\n{leak(level)} > {limit.times:g}",
                hold=limit.hold,
                board="-where",
                severity="warning",
                summary=f"A {noun} loses much more inference money than it used to.",
                description=f"Work for {who} that reached nobody cost {MONEY} in the last day: more than "
                f"{limit.times:g} times its mean day of the six days before.",
                why="Against its own past, by when the work was done; a currency without a budget has no measure.",
            )
        )
    return rules


def _timeouts(values: Values) -> Alert:
    limit = values.timeouts
    return Alert(
        "OrphanedTimeoutsTooShort",
        f"{ANSWERED_SOON}:ratio1d > {limit.share:g}\n  and on (provider, model, service_name)\n"
        f"{TIMEOUTS}:delta1d >= {limit.at_least:g}",
        hold=limit.hold,
        board="-where",
        severity="warning",
        summary="Timeouts fire just before the answers come.",
        description=f"{PERCENT} of the timeouts of {label('service_name')} at {label('model')} in the last "
        f"day came no more than {words(limit.within)} before the answer was complete. It was paid for all the same.",
        why="Only timeouts whose work ran on to its end count; of a few, a share says nothing.",
    )


def _retries(values: Values) -> Alert:
    limit = values.retries
    amount = f'sum by (service_name, currency) (orphaned_inference_window_retry_spend{{window="{limit.window}"}})'
    return Alert(
        "OrphanedRetriesPayTwice",
        over(amount, limit.budget_share, limit.window, wider=True),
        hold=limit.hold,
        board="-where",
        severity="warning",
        summary="Retries pay for the same work again.",
        description=f"In the last {words(limit.window)} {label('service_name')} lost {MONEY} on attempts that a "
        "later attempt repeated: the backend finished both.",
        why="Only the attempts that a later one superseded: the last one of each chain is not in it.",
    )


def _budget_missing(values: Values) -> Alert:
    spend = 'sum by (currency) (orphaned_inference_window_inference_spend{window="30d"}) > 0'
    return Alert(
        "OrphanedBudgetMissing",
        f"{spend}\n  unless on (currency)\n{BUDGET}",
        hold=values.budget_missing.hold,
        severity="info",
        summary="A currency has no budget for orphaned inference.",
        description=f"{MONEY} were spent on inference in the last 30 days, and this currency has no budget: no alert "
        "watches its money.",
        why="Without a budget the alerts on money have no measure, and silence would look like health.",
    )
