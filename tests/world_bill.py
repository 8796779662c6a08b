"""The bill of a simulated world: what the provider charges for the work, row by row, as its export tells it.

All work comes in, logged or not; rows go out with the instant at which each is exported. Truth about who lost
what is drawn from the rows in `world_truth`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from tests.world_calls import Work
from tests.world_spec import BACKEND, DAY_US, HOUR_US, SECOND_US, USAGE_KINDS, WorldSpec

EXPORT_EVERY_US = 6 * HOUR_US
REACH_US = 60 * HOUR_US
PICO_PER_NANO = 1000
SKU = {
    "input": "Acme {} Input Tokens", "cached_input": "Acme {} Cached Input Tokens",
    "output": "Acme {} Output Tokens", "thinking": "Acme {} Thinking Output Tokens",
}  # fmt: skip


class BucketKey(NamedTuple):
    """What a bill can tell apart. The period is half-open, microseconds since 1970."""

    start_us: int
    end_us: int
    account: str
    model: str
    usage: str
    currency: str


@dataclass(frozen=True, slots=True)
class BillRow:
    """One row of the export. `key.model` is empty for what is no inference of ours."""

    key: BucketKey
    service: str
    sku: str
    export_us: int
    amount: int
    cost_pico: int  # 10^-12: finer than the ledger keeps, so that rounding is seen
    credit_nano: int = 0  # negative
    cost_type: str = "regular"
    mode: str | None = None

    @property
    def cost_nano(self) -> int:
        """As a ledger of nano-units reads it: half to even."""
        whole, rest = divmod(self.cost_pico, PICO_PER_NANO)
        return whole + (rest * 2 > PICO_PER_NANO or (rest * 2 == PICO_PER_NANO and whole % 2 == 1))


def bucket_key(spec: WorldSpec, work: Work, usage: str, *, by: str) -> BucketKey:
    """Where a bill puts that part of the work: by when it finished or began, on the backend's clock."""
    at_us = (work.finished_us if by == "finish" else work.received_us) + spec.skew_us(BACKEND)
    span_us = DAY_US if spec.daily else HOUR_US
    start_us = at_us // span_us * span_us
    currency = spec.model(work.account, work.model).currency
    return BucketKey(start_us, start_us + span_us, work.account, work.model, usage, currency)


def usage_by_bucket(spec: WorldSpec, works: Iterable[Work], *, by: str) -> dict[BucketKey, int]:
    """Tokens a bucket, in the order of the buckets."""
    alike: dict[tuple[str, str, int], list[Work]] = {}
    for work in works:
        hour = ((work.finished_us if by == "finish" else work.received_us) + spec.skew_us(BACKEND)) // HOUR_US
        alike.setdefault((work.account, work.model, hour), []).append(work)
    sums: dict[BucketKey, int] = {}
    for some in alike.values():
        for usage in USAGE_KINDS:
            key = bucket_key(spec, some[0], usage, by=by)
            sums[key] = sums.get(key, 0) + sum(work.usage.of(usage) for work in some)
    return {key: tokens for key, tokens in sorted(sums.items()) if tokens}


def bill_rows(spec: WorldSpec, works: Iterable[Work], rng: Random) -> tuple[BillRow, ...]:
    """Every row that is ever exported, oldest export first."""
    if spec.bill == "none":
        return ()
    rows: list[BillRow] = []
    for key, amount in usage_by_bucket(spec, (w for w in works if w.billed), by=spec.bill_by).items():
        rows += _changed(spec, _bucket_rows(spec, key, amount, rng), rng)
    rows += _other_rows(spec, rows, rng)
    return tuple(sorted(rows, key=lambda row: (row.export_us, row.key)))


def _bucket_rows(spec: WorldSpec, key: BucketKey, amount: int, rng: Random) -> list[BillRow]:
    price_nano = spec.model(key.account, key.model).price_nano(key.usage)
    lag_us = rng.randrange(4 * HOUR_US, 20 * HOUR_US)
    rows = []
    for part in _split(amount, rng):
        cost_pico = part * price_nano * PICO_PER_NANO
        if rng.random() < spec.fine_cost_share:
            cost_pico += rng.choice((500, -500, 250, 749, 1))
        credit = rng.random() < spec.credit_share
        credit_nano = -(part * price_nano * rng.randrange(2, 30) // 100) if credit else 0
        later_us = rng.randrange(12 * HOUR_US) if rng.random() < 0.2 else 0
        if spec.bill == "late" and rng.random() < 0.5:
            later_us += rng.randrange(20 * HOUR_US, 30 * HOUR_US)
        export_us = _export_at(key.end_us + lag_us + later_us)
        sku = SKU[key.usage].format(key.model)
        rows.append(BillRow(key, "Vertex AI", sku, export_us, part, cost_pico, credit_nano))
    return rows


def _split(amount: int, rng: Random) -> list[int]:
    """One to three rows, now and then two equal ones."""
    count = rng.choice((1, 1, 2, 3))
    if count == 2 and amount % 2 == 0:
        return [amount // 2] * 2
    cuts = sorted(rng.randrange(amount + 1) for _ in range(count - 1))
    return [high - low for low, high in zip([0, *cuts], [*cuts, amount], strict=True) if high > low]


def _export_at(at_us: int) -> int:
    return -(-at_us // EXPORT_EVERY_US) * EXPORT_EVERY_US + 2467 * SECOND_US


def _changed(spec: WorldSpec, rows: list[BillRow], rng: Random) -> list[BillRow]:
    """The rows of one bucket after what the kind of bill does to them."""
    luck = rng.random()
    if spec.bill == "partial" and luck < 0.2:
        return rows[1:] if luck < 0.15 else []
    if spec.bill == "corrected" and luck < 0.3:
        return list(_corrected(rows, price=luck < 0.2))
    if spec.bill == "corrected" and luck < 0.4:
        mode = "MANUAL_ADJUSTMENT"
        cost_pico = -(rows[0].cost_pico // (20 * PICO_PER_NANO)) * PICO_PER_NANO
        goodwill = replace(rows[0], amount=0, cost_pico=cost_pico, credit_nano=0, export_us=_later(rows[0]))
        return [*rows, replace(goodwill, cost_type="adjustment", mode=mode)]
    return rows


def _corrected(rows: list[BillRow], *, price: bool) -> Iterator[BillRow]:
    """First wrong (a tenth too dear, or a fifth too much used), then negated and billed again."""
    mode = "COMPLETE_NEGATION_WITH_REMONETIZATION"
    for row in rows:
        wrong = replace(row, cost_pico=row.cost_pico // 10_000 * 11_000) if price else replace(
            row, amount=row.amount + row.amount // 5, cost_pico=row.cost_pico // 5000 * 6000
        )  # fmt: skip
        yield wrong
        yield replace(
            wrong, amount=-wrong.amount, cost_pico=-wrong.cost_pico, credit_nano=-wrong.credit_nano,
            export_us=_later(row), mode=mode,
        )  # fmt: skip
        yield replace(row, export_us=_later(row), mode=mode)


def _later(row: BillRow) -> int:
    return row.export_us + 4 * EXPORT_EVERY_US


def _other_rows(spec: WorldSpec, rows: list[BillRow], rng: Random) -> Iterator[BillRow]:
    """What else stands on a bill: storage (which also shows how far the bill reaches), tax, rounding."""
    if not rows:
        return
    last = max(rows, key=lambda row: row.key.end_us).key
    for account in spec.accounts:
        currency = spec.models_of(account)[0].currency
        key = last._replace(account=account, model="", usage="", currency=currency)
        export_us = _export_at(last.end_us + (REACH_US if spec.bill_reaches else 4 * HOUR_US))
        pico = rng.randrange(10**6, 10**9) * PICO_PER_NANO
        yield BillRow(key, "Cloud Storage", "Standard Storage US Regional", export_us, 1 << 30, pico)
    for currency in sorted({row.key.currency for row in rows}):
        key = last._replace(account="", model="", usage="", currency=currency)
        export_us = _export_at(last.end_us + 20 * HOUR_US)
        pico = rng.randrange(10**6, 10**9) * PICO_PER_NANO
        yield BillRow(key, "Invoice", "Tax", export_us, 0, pico, cost_type="tax")
        crumb_pico = 3 * PICO_PER_NANO
        yield BillRow(key, "Invoice", "Rounding error", export_us, 0, crumb_pico, cost_type="rounding_error")
