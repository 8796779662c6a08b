"""The accounts of a simulated world: every bucket of its bill, shared out as the contract says, exactly.

Work and bill rows come in; buckets and totals go out. Which of the work was lost is told by `world_truth`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from tests.world_bill import BillRow, BucketKey, bucket_key, usage_by_bucket
from tests.world_calls import Work
from tests.world_spec import HOUR_US, PROVIDER, USAGE_KINDS, WorldSpec, moment

SETTLE_AFTER_US = 48 * HOUR_US
NANO = 10**9
NOTHING = Fraction(0)
LOST_PARTS = ("orphaned", "cut_short", "failed")


@dataclass(frozen=True, slots=True)
class TrueBucket:
    """One bucket of the bill. An unsettled one shows what is billed so far, all of it unattributed."""

    usage_start: datetime
    usage_end: datetime
    provider: str
    account: str
    model: str
    usage: str
    currency: str
    billed_usage: Fraction
    logged_usage: Fraction  # of the completions that finished in the period
    billed_cost: Fraction
    delivered: Fraction
    orphaned: Fraction
    cut_short: Fraction
    failed: Fraction
    unattributed: Fraction
    estimated: Fraction
    settled: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums in one currency. `other` is what the bill charges for things that are no inference of ours."""

    billed: Fraction
    delivered: Fraction
    orphaned: Fraction
    cut_short: Fraction
    failed: Fraction
    unattributed: Fraction
    other: Fraction
    lost: Fraction  # over the aborts, settled or not
    avoidable: Fraction


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one bucket before anything is shared out."""

    usage: int
    cost: Fraction
    logged: int
    settled: bool

    def share(self, tokens: int) -> Fraction:
        """What so many tokens cost; a bucket without usage, or below zero, has nothing to share out."""
        if self.usage <= 0 or self.cost < 0:
            return NOTHING
        return self.cost * tokens / max(self.usage, self.logged)


class Books:
    """The accounts of all buckets, and what has been taken out of each (`take`)."""

    def __init__(self, spec: WorldSpec, works: Iterable[Work], rows: Iterable[BillRow]) -> None:
        self.spec = spec
        self.rows = tuple(rows)
        counted = [work for work in works if work.logged and work.billed]
        self.finished = usage_by_bucket(spec, counted, by="finish")
        self.accounts = self._accounts(usage_by_bucket(spec, counted, by=spec.bill_by))
        self.taken: dict[tuple[BucketKey, str], Fraction] = {}

    def _accounts(self, logged: Mapping[BucketKey, int]) -> dict[BucketKey, Account]:
        usage: dict[BucketKey, int] = {}
        nano: dict[BucketKey, int] = {}
        reach: dict[str, int] = {}
        for row in self.rows:
            usage[row.key] = usage.get(row.key, 0) + row.amount
            nano[row.key] = nano.get(row.key, 0) + self._nano(row)
            reach[row.key.account] = max(row.export_us, reach.get(row.key.account, 0))
        accounts = {}
        for key in sorted({*usage, *logged, *self.finished}):
            used, known = usage.get(key, 0), logged.get(key, 0)
            reached = reach.get(key.account, 0) >= key.end_us + SETTLE_AFTER_US
            settled = key in usage and (reached or (known > 0 and 100 * used >= 98 * known))
            accounts[key] = Account(used, Fraction(nano.get(key, 0), NANO), known, settled)
        return accounts

    def _nano(self, row: BillRow) -> int:
        return row.cost_nano + (row.credit_nano if self.spec.credits == "include" else 0)

    def _keys(self, work: Work) -> dict[str, BucketKey]:
        return {
            usage: bucket_key(self.spec, work, usage, by=self.spec.bill_by)
            for usage in USAGE_KINDS if work.usage.of(usage)
        }  # fmt: skip

    def is_settled(self, work: Work) -> bool:
        """Whether all that the work used is billed for good."""
        return all(key in self.accounts and self.accounts[key].settled for key in self._keys(work).values())

    def costs(self, work: Work) -> dict[str, Fraction]:
        """What the work cost, by usage kind: its share of settled buckets, else usage times price."""
        if not work.billed:
            return {}
        if self.is_settled(work):
            return {u: self.accounts[key].share(work.usage.of(u)) for u, key in self._keys(work).items()}
        model = self.spec.model(work.account, work.model)
        return {u: Fraction(work.usage.of(u) * model.price_nano(u), NANO) for u in self._keys(work)}

    def take(self, work: Work, part: str, lost: Mapping[str, Fraction]) -> None:
        """Put the work's `lost` share of each usage kind under `part`, in every bucket it touches."""
        if not work.billed:
            return
        for usage, key in self._keys(work).items():
            cost = self.accounts[key].share(work.usage.of(usage)) * lost[usage]
            self.taken[key, part] = self.taken.get((key, part), NOTHING) + cost

    def buckets(self) -> tuple[TrueBucket, ...]:
        """Every bucket with a known model, in order of period, account, model and usage."""
        return tuple(self._bucket(key, account) for key, account in self.accounts.items() if key.model)

    def _bucket(self, key: BucketKey, account: Account) -> TrueBucket:
        orphaned, cut_short, failed = (
            self.taken.get((key, part), NOTHING) if account.settled else NOTHING for part in LOST_PARTS
        )
        shared = account.share(account.logged) if account.settled else NOTHING
        model = self.spec.model(key.account, key.model)
        logged = self.finished.get(key, 0)
        return TrueBucket(
            usage_start=moment(key.start_us), usage_end=moment(key.end_us), provider=PROVIDER,
            account=key.account, model=key.model, usage=key.usage, currency=key.currency,
            billed_usage=Fraction(account.usage), logged_usage=Fraction(logged), billed_cost=account.cost,
            delivered=shared - orphaned - cut_short - failed, orphaned=orphaned, cut_short=cut_short,
            failed=failed, unattributed=account.cost - shared,
            estimated=Fraction(logged * model.price_nano(key.usage), NANO), settled=account.settled,
        )  # fmt: skip

    def other(self, currency: str) -> Fraction:
        """What the bill charges for anything else, tax and rounding included."""
        rows = [row for row in self.rows if row.key.currency == currency and not row.key.model]
        return Fraction(sum(self._nano(row) for row in rows), NANO)
