"""The alerts on what the figures rest on: the bill, what no log shows, the sources, the collector, the books.

`Values` come in, alerts go out, in the same form as in rules/money.py.
"""

import re

from rules.recording import DRIFT, UNATTRIBUTED_SHARE, every, over
from rules.rule import AGE, PERCENT, Alert, label
from rules.values import Age, Values, seconds, words

UP = "orphaned_inference_source_up"
WATERMARK = "orphaned_inference_source_watermark_timestamp_seconds"


def health(values: Values) -> list[Alert]:
    """Every alert on the state of things."""
    return [
        _drifting(values),
        _late(values),
        _unattributed(values),
        *_sources(values),
        *_collector(values),
    ]


def _drifting(values: Values) -> Alert:
    limit = values.bill_drift
    billed = "sum by (provider, currency) (orphaned_inference_settled_billed_spend)"
    either = f"({DRIFT} > {1 + limit.share:g} or {DRIFT} < {1 - limit.share:g})"
    return Alert(
        "OrphanedBillDrifting",
        f"{either}\n  and on (provider, currency)\n{over(billed, limit.budget_share, '30d', wider=True)}",
        hold=limit.hold,
        board="-trust",
        severity="warning",
        summary="The bill and the price book disagree.",
        description="{{ $labels.provider }} billed "
        f"{PERCENT} of what the price book says, in {label('currency')}, over the last 30 settled days; up to "
        f"{limit.share:.0%} either way is usual.",
        why="Of what stands in the logs; calls that no log shows are not in it.",
    )


def _aged(metric: str, name: str, limit: Age) -> str:
    """Everything older than it may be: the overrides by their own limit, the rest by the common one."""
    named = "|".join(map(re.escape, limit.overrides)).replace("\\", "\\\\")
    rest = f'{{{name}!~"{named}"}}' if limit.overrides else ""
    pairs = [(rest, limit.after), *((f'{{{name}="{value}"}}', after) for value, after in limit.overrides.items())]
    aged = [f"time() - {metric}{matcher} > {seconds(after)}" for matcher, after in pairs]
    return aged[0] if len(aged) == 1 else "({})".format("\n  or\n".join(aged))


def _late(values: Values) -> Alert:
    return Alert(
        "OrphanedBillLate",
        _aged("orphaned_inference_bill_settled_through_timestamp_seconds", "provider", values.bill_late),
        hold=values.bill_late.hold,
        board="-trust",
        severity="warning",
        summary="A bill has not been settled for days.",
        description="The bill of {{ $labels.provider }}, account {{ $labels.account }}, is settled only up to "
        f"{AGE} ago. Everything after that is an estimate.",
        why="A bill that never came has no instant here: OrphanedSourceStale tells of it.",
    )


def _unattributed(values: Values) -> Alert:
    limit = values.unattributed
    amount = 'sum by (currency) (orphaned_inference_window_inference_spend{window="7d",part="unattributed"})'
    return Alert(
        "OrphanedUnattributedGrowing",
        every(
            f'{UNATTRIBUTED_SHARE}{{window="7d"}} > {limit.share:g}',
            f'{UNATTRIBUTED_SHARE}{{window="7d"}}\n'
            f'  > on (currency) {limit.times:g} * {UNATTRIBUTED_SHARE}{{window="30d"}}',
            over(amount, limit.budget_share, "7d"),
        ),
        hold=limit.hold,
        board="-trust",
        severity="warning",
        summary="More of the bill than usual stands in no completion log.",
        description=f"{PERCENT} of the {label('currency')} spent on inference in the last 7 days belongs to no "
        f"logged completion, more than {limit.times:g} times the share of the last 30 days. Orphaned calls may "
        "hide there.",
        why="Large, larger than usual, and enough money to matter.",
    )


def _sources(values: Values) -> list[Alert]:
    down = Alert(
        "OrphanedSourceDown",
        f"{UP} == 0",
        hold=values.source_down.hold,
        board="-health",
        severity="warning",
        summary="A source cannot be read.",
        description=f"Source {label('source')} has failed for {words(values.source_down.hold)}. What it would "
        "tell is missing from every figure.",
        why="The collector goes on with the others, and its place is kept.",
    )
    return [down, *_stale(values)]


def _stale(values: Values) -> list[Alert]:
    limit = values.source_stale
    summary = "A source can be read but brings nothing new."
    late = Alert(
        "OrphanedSourceStale",
        f"{_aged(WATERMARK, 'source', limit)}\n  and on (job, instance, source)\n{UP} == 1",
        hold=limit.hold,
        board="-health",
        severity="warning",
        summary=summary,
        description=f"Source {label('source')} has been read up to {AGE} ago and no further, although reading "
        "it works. Verdicts wait for it.",
        why="A source that is down has an alert of its own.",
    )
    never = Alert(
        "OrphanedSourceStale",
        f"{UP} == 1\n  unless on (job, instance, source)\n{WATERMARK}",
        hold=limit.after,
        board="-health",
        severity="warning",
        labels={"watermark": "none"},
        summary=summary,
        description=f"Source {label('source')} has been read for {words(limit.after)} and has never brought a record.",
        why="What never brought a record has no watermark that could be old.",
    )
    return [late, never]


def _collector(values: Values) -> list[Alert]:
    up = f'up{{job=~"{values.prometheus.job}"}} == 0'
    success = "orphaned_inference_run_last_success_timestamp_seconds"
    age = values.collector_down.run_age
    down = Alert(
        "OrphanedCollectorDown",
        f"{up}\n  or\nabsent(orphaned_inference_build_info) unless on () {up}\n  or\n"
        f"time() - {success} > {seconds(age)}\n  or\n"
        f"orphaned_inference_build_info unless on (job, instance) {success}",
        hold=values.collector_down.hold,
        board="-health",
        severity="critical",
        summary="The collector is not running, or its runs do not succeed.",
        description="{{ with $labels.instance }}The collector {{ . }}{{ else }}Every collector{{ end }} cannot be "
        f"scraped, or has had no good run for {words(age)}. All figures stand still, and no money alert can fire.",
        why="A target that is down; none at all; then a process that answers scrapes while its runs fail, or never\n"
        "went well.",
    )
    broken = Alert(
        "OrphanedInvariantBroken",
        f"increase(orphaned_inference_invariant_violations_total[{values.invariant_broken.within}]) > 0",
        board="-health",
        severity="critical",
        summary="The books did not add up, and a run was rolled back.",
        description="{{ $labels.instance }} rolled back a run in the last "
        f"{words(values.invariant_broken.within)} because its figures contradicted each other. It still shows those of "
        "the last good run.",
        why="This counter stands at 0 before its first use, so increase() misses nothing. Told at once.",
    )
    return [down, broken]
