"""The rules over what the exporter shows of a simulated world: each evaluates, and what is recorded is the ledger's."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from collector import pipeline
from collector.config import Config, load
from collector.daemon import Daemon, Work
from collector.records import LedgerSummary, RunSummary, instant_us
from tests.alerting import Watch, quick_values, watching
from tests.helpers import NANO, lost_now, rows
from tests.loopback import until
from tests.rule_mutants import committed
from tests.world import build
from tests.world_spec import WorldSpec

SPEND_LABELS = ("provider", "model", "service_name", "reason", "currency")
# So little in USD that the world burns it; so much in EUR that it does not.
BUDGETS = {"USD": "0.10", "EUR": "300"}
# Recorded only when Prometheus has known the collector for so long, or when there is a past of days.
NEED_A_PAST = {"delta", "multiple1h", "multiple6h", "ratio1d"}
Series = dict[tuple[str, ...], float]


@dataclass(frozen=True)
class Seen:
    """A world's ledger, and a Prometheus that has scraped it and evaluated the rules."""

    config: Config
    ledger: LedgerSummary
    watch: Watch

    def recorded(self, name: str, *labels: str) -> Series:
        """One recorded series by the values of its labels."""
        found = {
            tuple(json.loads(one).get(label, "") for label in labels): v for one, v in self.watch.ask(name).items()
        }
        assert len(found) == len(self.watch.ask(name))
        return found

    def active(self, alert: str) -> set[tuple[str, ...]]:
        """The services and currencies of an alert, pending or firing."""
        return set(self.recorded(f'ALERTS{{alertname="{alert}"}}', "service_name", "currency"))

    def family(self, name: str) -> Series:
        """A family of money as the ledger states it, in units, by the values of its labels."""
        return {one.labels: one.value / NANO for one in self.ledger.families[name]}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Fifty hours of rough traffic that ended four hours ago, two currencies, the bill as far as it has come."""
    now = datetime.now(UTC).replace(microsecond=0)
    start = now.replace(minute=0, second=0) - timedelta(hours=54)
    directory = tmp_path_factory.mktemp("world")
    config = load(build(WorldSpec.rough(5, calls=1500, hours=50, start=start)).write(directory, now))
    run = pipeline.run_once(config, now_us=instant_us(now))

    def same(*, bill: bool) -> RunSummary:
        assert bill
        return run

    daemon = Daemon(Work(same, 3600, 3600), listen="127.0.0.1:0")
    daemon.start()
    try:
        values = quick_values(budget_per_30d=BUDGETS, burning_slow={"for": "1s"})
        with watching(directory, daemon.address, values) as watch:
            until(
                lambda: watch.ask("provider_currency:orphaned_inference_billed_over_estimated:ratio"),
                "recorded figures",
            )
            yield Seen(config, run.ledger, watch)
    finally:
        daemon.stop()


@pytest.mark.slow
def test_every_rule_evaluates(seen: Seen) -> None:
    """No rule of either file fails over real series: labels match one to one where they must."""
    until(lambda: all(rule["lastEvaluation"][0] != "0" for rule in seen.watch.rules()), "every rule evaluated")
    rules = seen.watch.rules()
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []
    recording, alerts = committed()
    assert len(rules) == len(recording) + len(alerts)


@pytest.mark.slow
def test_every_recorded_figure_is_there(seen: Seen) -> None:
    """Whatever needs no past is recorded from the first scrape on; a misspelt label would leave it empty."""
    names = {rule["record"] for rule in committed()[0]}
    empty = {name for name in names if not seen.watch.ask(name)}
    assert all(any(part in name for part in NEED_A_PAST) for name in empty), empty


@pytest.mark.slow
def test_net_spend_is_the_ledgers(seen: Seen) -> None:
    """The three counters make what the verdicts say now, by every label, to the float's last digit."""
    true = {labels: nano / NANO for labels, nano in lost_now(rows(seen.config, "verdict_current")).items()}
    net = seen.recorded("provider_model_service_name_reason_currency:orphaned_inference_spend:net", *SPEND_LABELS)
    assert {labels: value for labels, value in net.items() if value} == pytest.approx(true)
    by_currency = seen.recorded("currency:orphaned_inference_spend:net", "currency")
    for currency in ("USD", "EUR"):
        assert by_currency[currency,] == pytest.approx(sum(v for labels, v in true.items() if labels[-1] == currency))


@pytest.mark.slow
def test_shares_are_the_ledgers(seen: Seen) -> None:
    """Each window's shares, and the part of the budget that is spent."""
    windows = {(one.window, one.currency): one for one in seen.ledger.windows}
    shares = seen.recorded("window_currency:orphaned_inference_spend_share:ratio", "window", "currency")
    unattributed = seen.recorded("window_currency:orphaned_inference_unattributed_share:ratio", "window", "currency")
    spent = seen.recorded("window_currency:orphaned_inference_budget_spent:ratio", "window", "currency")
    assert shares == pytest.approx({key: one.best_nano / sum(one.parts.values()) for key, one in windows.items()})
    assert unattributed == pytest.approx(
        {key: one.parts["unattributed"] / sum(one.parts.values()) for key, one in windows.items()}
    )
    long = {key: one for key, one in windows.items() if key[0] in {"30d", "month"}}
    assert spent == pytest.approx({key: one.best_nano / NANO / float(BUDGETS[key[1]]) for key, one in long.items()})


@pytest.mark.slow
def test_drift_and_timeouts_are_the_ledgers(seen: Seen) -> None:
    """Billed over estimated by provider and currency; timeouts, and those that an answer followed soon."""
    billed, estimated = seen.family("settled_billed_spend"), seen.family("settled_estimated_spend")
    drift = seen.recorded("provider_currency:orphaned_inference_billed_over_estimated:ratio", "provider", "currency")
    assert drift == pytest.approx({labels: billed[labels] / estimated[labels] for labels in billed})
    histogram = seen.ledger.histograms["timeout_overrun_seconds"]
    labels = ("provider", "model", "service_name")
    timeouts = seen.recorded("provider_model_service_name:orphaned_inference_timeouts:sum", *labels)
    assert timeouts == {one.labels: one.buckets[-1][1] for one in histogram}
    soon = seen.recorded("provider_model_service_name:orphaned_inference_timeouts_answered_soon:sum", *labels)
    assert soon == {one.labels: dict(one.buckets)[10.0] for one in histogram}
    assert sum(timeouts.values()) > sum(soon.values()) > 0


@pytest.mark.slow
def test_the_worlds_loss_is_told(seen: Seen) -> None:
    """What the simulated world lost in a week arrives at the webhook to the cent, by day's route, and nothing else."""
    receiver, alert = seen.watch.told.wait("OrphanedSpendBurningSlow", "firing")
    week = next(one for one in seen.ledger.windows if (one.window, one.currency) == ("7d", "USD"))
    assert receiver == "channel"
    assert alert["labels"]["currency"] == "USD"
    assert alert["annotations"]["description"].startswith(
        f"{week.best_nano / NANO:.2f} USD of orphaned spend in the last 7 days: more than what the budget"
    )
    assert {one["labels"]["alertname"] for _, one in seen.watch.told.alerts} == {"OrphanedSpendBurningSlow"}


@pytest.mark.slow
def test_what_is_active_is_what_the_ledger_says(seen: Seen) -> None:
    """Services that leak and retries that pay twice, worked out from the ledger: these are active, no others."""
    day_s_budget = {currency: float(amount) / 30 for currency, amount in BUDGETS.items()}
    spent = {(one.window, one.currency): sum(one.parts.values()) for one in seen.ledger.windows}
    known = {currency for currency in BUDGETS if spent["7d", currency] >= 2 * spent["1d", currency]}
    lost: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for (window, _, _, service, _, currency), amount in seen.family("window_lost_spend").items():
        lost[window, service, currency] += amount
    leaking = {
        (service, currency)
        for (window, service, currency), day in lost.items()
        if window == "1d" and currency in known and day > day_s_budget[currency]
        and day > 3 * (lost["7d", service, currency] - day) / 6
    }  # fmt: skip
    retrying = {
        (service, currency)
        for (window, service, currency), amount in seen.family("window_retry_spend").items()
        if window == "7d" and amount > 0.1 * 7 * day_s_budget[currency]
    }
    assert leaking
    assert retrying
    # on a busy machine a scrape may be late, and then nothing is active for a moment
    until(lambda: seen.active("OrphanedServiceLeaking") == leaking, f"{leaking} leaking, and no others")
    until(lambda: seen.active("OrphanedRetriesPayTwice") == retrying, f"{retrying} retrying, and no others")
