"""The thresholds of the rules, as rules/values.yaml states them: checked, frozen, and with their arithmetic.

YAML text comes in, one `Values` goes out. Unknown keys, durations that are none, and bounds that no histogram has
are errors (pydantic.ValidationError) which name the key. This room knows no PromQL.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from collector.config.values import duration_us
from collector.exporters.catalogue import WINDOWS
from collector.ledger.summary import BOUNDS_S

VALUES_YAML = Path(__file__).parent / "values.yaml"
SECOND_US = 1_000_000
BUDGET_S = 30 * 86_400
_WORDS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]*[smhd]$")]
Positive = Annotated[float, Field(gt=0)]


def seconds(duration: str) -> int:
    """How long `15m` is, in seconds."""
    return duration_us(duration) // SECOND_US


def words(duration: str) -> str:
    """`15m` as a person says it after "the last": 15 minutes; `1h` is hour."""
    amount, unit = int(duration[:-1]), _WORDS[duration[-1]]
    return unit.removesuffix("s") if amount == 1 else f"{amount} {unit}"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _Alert(_Section):
    hold: Duration = Field(alias="for")


class Prometheus(_Section):
    """How Prometheus sees the collector."""

    evaluation: Duration
    lookback: Duration
    job: str


class Burn(_Section):
    """One pair of windows, and how many times faster than the budget allows."""

    long: Duration
    short: Duration
    multiple: Positive

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if seconds(self.short) >= seconds(self.long):
            raise ValueError(f"the short window, {self.short}, is no shorter than the long one, {self.long}")
        return self


class Burning(_Alert):
    """Burn rates that one alert watches; any pair fires it."""

    windows: tuple[Burn, ...] = Field(min_length=1)


class BurningFast(Burning):
    """The same, and how long a source must have been unread to bring a backlog."""

    behind: Duration


class Window(_Alert):
    """A window of the ledger, and the part of its budget below which nothing is said."""

    window: Duration
    budget_share: Positive

    @field_validator("window")
    @classmethod
    def _known(cls, window: str) -> str:
        if window not in WINDOWS:
            raise ValueError(f"{window} is none of the ledger's windows: {', '.join(WINDOWS)}")
        return window


class ShareHigh(Window):
    """Orphaned spend over all inference spend."""

    share: Positive


class Leaking(_Alert):
    """A day against the mean day before."""

    times: Positive
    budget_share: Positive
    past: Positive


class Timeouts(_Alert):
    """How soon an answer came after the timeout, and how often."""

    within: Duration
    share: Positive
    at_least: Positive

    @field_validator("within")
    @classmethod
    def _bound(cls, within: str) -> str:
        if float(seconds(within)) not in BOUNDS_S:
            raise ValueError(f"{within} is none of the histogram's bounds: {BOUNDS_S}")
        return within


class Drift(_Alert):
    """How far billed may lie from estimated, either way."""

    share: Annotated[float, Field(gt=0, lt=1)]
    budget_share: Positive


class Age(_Alert):
    """How old something may be, and what may be older."""

    after: Duration
    overrides: dict[str, Duration]


class Unattributed(_Alert):
    """A share, and how much more than before."""

    share: Positive
    times: Positive
    budget_share: Positive


class CollectorDown(_Alert):
    """How old the last good run may be."""

    run_age: Duration


class Within(_Section):
    """How long one event is told."""

    within: Duration


class Values(_Section):
    """The whole file; see the comments in rules/values.yaml."""

    budget_per_30d: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[Decimal, Field(gt=0)]]
    labels: dict[str, str]
    runbooks: str
    grafana: str
    prometheus: Prometheus
    burning_fast: BurningFast
    burning_slow: Burning
    share_high: ShareHigh
    leaking: Leaking
    timeouts: Timeouts
    retries: Window
    bill_drift: Drift
    bill_late: Age
    unattributed: Unattributed
    source_down: _Alert
    source_stale: Age
    collector_down: CollectorDown
    invariant_broken: Within
    budget_missing: _Alert

    @property
    def burns(self) -> tuple[Burn, ...]:
        """Every pair of windows of both burn alerts."""
        return (*self.burning_fast.windows, *self.burning_slow.windows)

    @property
    def found_windows(self) -> tuple[str, ...]:
        """The burn windows that the ledger does not have: those go by when the money was found. Shortest first."""
        used = {window for burn in self.burns for window in (burn.long, burn.short)}
        return tuple(sorted(used - set(WINDOWS), key=seconds))


def load(text: str) -> Values:
    """The values of a YAML text. Raises pydantic.ValidationError."""
    return Values.model_validate(yaml.safe_load(text))
