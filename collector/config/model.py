"""What each section of the config may say: keys, types and defaults; frozen sections go out.

A section refuses every key that it does not name. It opens no file and knows nothing of lines. The entries of
`skus`, `policies` and `prices` become the types of the rooms that use them. Those of `sources` stand in sources.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collector.config.values import (
    DURATION_UNITS_US,
    TOKEN_USAGES,
    Address,
    Currency,
    DateUs,
    Duration,
    Flag,
    Interval,
    ListenAddress,
    MailAddress,
    MailAddresses,
    PathPattern,
    Pattern,
    Port,
    Price,
    Probability,
    Text,
    Url,
    Usage,
    Weekly,
    WeeklyTime,
)
from collector.costing.policies import On, PolicyOverride
from collector.costing.prices import ConfiguredPrice
from collector.problems import UsageError
from collector.report.targets import FolderTarget, MailTarget, Target, WebhookTarget
from collector.sources.skus import SkuRule

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Section(BaseModel):
    """A mapping of the file. Unknown keys are refused; a key without a value is a key left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    blank_is_left_out: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, data: Any) -> Any:
        if isinstance(data, dict) and cls.blank_is_left_out:
            return {key: value for key, value in data.items() if value is not None}
        return data


class Ledger(Section):
    """Where the ledger is: as written; `Config.ledger_path` is the place itself."""

    path: PathPattern = "ledger.duckdb"


class Http(Section):
    """Where the daemon serves. Port 0 lets the system choose."""

    listen: ListenAddress = Address("127.0.0.1", 9747)


class Correlation(Section):
    """How long to wait for a completion, and how far clocks may differ."""

    horizon_us: Interval = Field(default=30 * DURATION_UNITS_US["m"], alias="horizon")
    clock_skew_us: Duration = Field(default=2 * DURATION_UNITS_US["s"], alias="clock_skew")
    match_threshold: Probability = 0.5


class Billing(Section):
    """When a bucket is settled, and whether credits are part of its cost."""

    settle_after_us: Duration = Field(default=48 * DURATION_UNITS_US["h"], alias="settle_after")
    credits: Literal["include", "exclude"] = "include"


class Schedule(Section):
    """When the daemon does what."""

    collect_us: Interval = Field(default=30 * DURATION_UNITS_US["s"], alias="collect")
    bill_us: Interval = Field(default=DURATION_UNITS_US["h"], alias="bill")
    report: Weekly = WeeklyTime(0, 6, 0)


class Mail(Section):
    """A mail server, and who gets the weekly report. The password stands in the environment, never in the file."""

    server: Text
    port: Port = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    sender: MailAddress = Field(alias="from")
    to: MailAddresses
    user: Text | None = None
    password_env: Text | None = None
    ca_file: PathPattern | None = None

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.tls == "none" and self.server not in LOOPBACK:
            raise ValueError(f"tls: none sends in the clear; it goes with {', '.join(sorted(LOOPBACK))} alone")
        if (self.user is None) != (self.password_env is None):
            raise ValueError("user and password_env (the name of an environment variable) go together")
        return self


class Webhook(Section):
    """An address that takes messages in Slack's format: as written, or out of the environment, for it is a secret."""

    url: Url | None = None
    url_env: Text | None = None

    @model_validator(mode="after")
    def _is_named_once(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("the address is named once: by `url:`, or by `url_env:` (an environment variable)")
        return self


class Report(Section):
    """Where the weekly report is delivered to; nowhere, if nothing is named."""

    folder: PathPattern | None = None
    mail: Mail | None = None
    webhook: Webhook | None = None
    link: Url | None = None

    def targets(self, root: Path, environment: Mapping[str, str]) -> tuple[Target, ...]:
        """These as the report room takes them. UsageError where the environment lacks what they name."""
        found: list[Target] = []
        if self.folder is not None:
            found.append(FolderTarget(root / self.folder))
        if (mail := self.mail) is not None:
            found.append(MailTarget(
                server=mail.server, port=mail.port, tls=mail.tls, sender=mail.sender, recipients=mail.to,
                user=mail.user, password=_secret(mail.password_env, environment, "report.mail.password_env"),
                ca_file=None if mail.ca_file is None else root / mail.ca_file,
            ))  # fmt: skip
        if (hook := self.webhook) is not None:
            url = hook.url or _secret(hook.url_env, environment, "report.webhook.url_env")
            found.append(WebhookTarget(url or "", self.link))
        return tuple(found)


def _secret(name: str | None, environment: Mapping[str, str], key: str) -> str | None:
    """What the environment has under `name`; None where no name is given."""
    if name is None:
        return None
    if not environment.get(name):
        raise UsageError(f"{key}: the environment has no {name}, or it is empty")
    return environment[name]


class SkuEntry(Section):
    """How a bill's text names a model and a usage kind."""

    match: Pattern
    usage: Usage
    model: Text | None = None
    provider: Text | None = None
    price_class: Text | None = None

    @model_validator(mode="after")
    def _names_a_model(self) -> Self:
        if (self.model is None) == ("model" not in self.match.groupindex):
            raise ValueError("the model is named once: by `model:`, or by a group (?P<model>...) in `match`")
        return self

    def rule(self) -> SkuRule:
        """This entry as the sources take it."""
        return SkuRule(self.match.pattern, self.usage, self.model, self.provider, self.price_class)


class PolicyEntry(Section):
    """Whether work that ended so is billed, as far as the user knows."""

    provider: Text
    on: On
    billed: Flag
    model: Pattern | None = None

    def override(self) -> PolicyOverride:
        """This entry as the costing room takes it."""
        return PolicyOverride(self.provider, self.on, self.billed, self.model and self.model.pattern)


class PriceEntry(Section):
    """What a model costs from a day on."""

    model: Text
    provider: Text | None = None
    from_us: DateUs = Field(alias="from")
    currency: Currency
    price_class: Text | None = None
    per_image: Price | None = None
    input_per_mtok: Price | None = None
    cached_input_per_mtok: Price | None = None
    output_per_mtok: Price | None = None
    thinking_per_mtok: Price | None = None
    cache_write_per_mtok: Price | None = None
    cache_write_5m_per_mtok: Price | None = None
    cache_write_1h_per_mtok: Price | None = None
    audio_input_per_mtok: Price | None = None
    cached_audio_input_per_mtok: Price | None = None
    audio_output_per_mtok: Price | None = None
    image_input_per_mtok: Price | None = None
    cached_image_input_per_mtok: Price | None = None
    image_output_per_mtok: Price | None = None
    video_input_per_mtok: Price | None = None
    video_output_per_mtok: Price | None = None

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if not self.per_mtok() and self.per_image is None:
            raise ValueError("no price; expected a key like input_per_mtok, output_per_mtok or per_image")
        return self

    def per_mtok(self) -> dict[str, str]:
        """Usage kind -> decimal text per 10^6 tokens, for the kinds that are named."""
        named = {usage: getattr(self, f"{usage}_per_mtok") for usage in TOKEN_USAGES}
        return {usage: text for usage, text in named.items() if text is not None}

    def price(self) -> ConfiguredPrice:
        """This entry as the costing room takes it."""
        return ConfiguredPrice(
            model=self.model,
            from_us=self.from_us,
            currency=self.currency,
            per_mtok=self.per_mtok(),
            per_image=self.per_image,
            provider=self.provider,
            price_class=self.price_class,
        )


class FileSection(Section):
    """The whole file, but for `sources`: those are read one by one, each by its kind."""

    ledger: Ledger = Ledger()
    currency: Currency = "USD"
    http: Http = Http()
    correlation: Correlation = Correlation()
    billing: Billing = Billing()
    schedule: Schedule = Schedule()
    report: Report = Report()
    sources: list[Any]
    skus: tuple[SkuEntry, ...] = ()
    policies: tuple[PolicyEntry, ...] = ()
    measured: PathPattern = "measured-policies.toml"
    prices: tuple[PriceEntry, ...] = ()
