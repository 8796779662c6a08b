"""Dated unit prices: the user's own and those of genai-prices come in, `PriceRow`s in nano-units go out.

This module refuses to guess: an unknown model has no rows, a price that is not stated stays absent (an absent
cached price is never taken from the input price), a model is not priced by a neighbour of its family, and a
price that depends on the hour of the day is left out, because one dated row cannot say it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from collector.money import nano_from_text
from collector.records import instant_us

if TYPE_CHECKING:  # genai-prices takes a third of a second to import: only rows_from_book pays for it
    from genai_prices.types import MatchLogic, ModelInfo, ModelPrice, Provider, TieredPrices

UNITS_PER_PRICE = 1_000_000
BOOK_CURRENCY = "USD"  # the book states every price in US dollars

# OpenTelemetry's provider names -> the book's. A provider that is not here has no book.
_BOOK_PROVIDERS: Mapping[str, str] = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "groq": "groq",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together_ai": "together",
    "x_ai": "x-ai",
}

# The book's usage keys -> our usage kinds. What is not here keeps the book's key: nothing is dropped.
_KINDS: Mapping[str, str] = {
    "input_tokens": "input",
    "output_tokens": "output",
    "output_reasoning_tokens": "thinking",
    "cache_read_tokens": "cached_input",
    "cache_write_tokens": "cache_write",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "input_audio_tokens": "audio_input",
    "input_image_tokens": "image_input",
    "input_video_tokens": "video_input",
    "cache_audio_read_tokens": "cached_audio_input",
    "cache_image_read_tokens": "cached_image_input",
    "output_audio_tokens": "audio_output",
    "output_image_tokens": "image_output",
    "output_video_tokens": "video_output",
}

# Request contexts of the book that are a price class of ours; the default tier is the standard price.
_CLASS_CONTEXTS = frozenset({"processing", "service_tier", "speed"})
_CLASS_STANDARD = "default"

_DATE_SUFFIX = re.compile(r"[-@](?:20\d\d-[01]\d-[0-3]\d|20\d{6})(?=$|[-:.])")
_REVISION = re.compile(r"v?\d{3,4}|v\d{1,2}")  # 001, 0613, v1, v2
# Words of a model's name that say where, who or how mature, and never which model.
_WORDS_NEUTRAL = frozenset({
    "amazon", "anthropic", "apac", "au", "default", "eu", "exp", "experimental", "global", "google", "gov",
    "jp", "latest", "maas", "meta", "models", "preview", "publishers", "regional", "us",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class PriceRow:
    """The price of one usage kind from one instant on.

    `input_tokens_above` is 0, or a long-context threshold: the row then holds for completions whose whole
    input (cached part included) exceeds it, and the highest exceeded threshold wins. `nano_per_million` is
    nano-units of `currency` per 10^6 usage units. `origin` is "config", or the book with its version,
    followed by the book's model where that is named differently.
    """

    provider: str | None
    model: str
    usage_kind: str
    price_class: str | None
    currency: str
    from_us: int
    input_tokens_above: int
    nano_per_million: int
    origin: str


@dataclass(frozen=True, slots=True)
class ConfiguredPrice:
    """One entry of the config's `prices`: decimal texts in `currency`, per 10^6 tokens or per image."""

    model: str
    from_us: int
    currency: str
    per_mtok: Mapping[str, str]
    per_image: str | None = None
    provider: str | None = None
    price_class: str | None = None


def price_rows(configured: Sequence[ConfiguredPrice], models: Iterable[tuple[str, str]]) -> list[PriceRow]:
    """All rows for the (provider, model) pairs in `models`: the config's first, then the book's."""
    book = [row for provider, model in sorted(set(models)) for row in rows_from_book(provider, model)]
    return rows_from_config(configured) + book


def rows_from_config(prices: Sequence[ConfiguredPrice]) -> list[PriceRow]:
    """The config's prices as rows, in their order. Thinking costs what output costs unless it is named.

    Raises ValueError for a text that is no decimal amount.
    """
    return [row for price in prices for row in _configured_rows(price)]


def _configured_rows(price: ConfiguredPrice) -> Iterator[PriceRow]:
    nano = {kind: nano_from_text(text) for kind, text in price.per_mtok.items()}
    if "output" in nano:
        nano.setdefault("thinking", nano["output"])
    if price.per_image is not None:
        nano["image"] = nano_from_text(price.per_image) * UNITS_PER_PRICE
    for kind, nano_per_million in nano.items():
        yield PriceRow(
            provider=price.provider,
            model=price.model,
            usage_kind=kind,
            price_class=price.price_class,
            currency=price.currency,
            from_us=price.from_us,
            input_tokens_above=0,
            nano_per_million=nano_per_million,
            origin="config",
        )


def rows_from_book(provider: str, model: str) -> list[PriceRow]:
    """Everything genai-prices knows about `model` at `provider` (an OpenTelemetry name); [] if nothing.

    Each instant at which any price of the model changes gets a full set of rows, for each class and
    threshold, so that "the newest row of the kind" is right whatever changed, also where long-context
    prices were given up. Standard prices without a date hold since 1970.
    """
    found = _find(provider, model)
    if found is None or _depends_on_hour(found[1]):
        return []
    owner, info, origin = found
    classes: list[tuple[str | None, str]] = [(None, "")]
    if _BOOK_PROVIDERS[provider] == owner.id:  # another provider's batch or priority rates are not this one's
        classes += sorted(_classes(info))
    thresholds = _thresholds(info)
    return [
        PriceRow(provider, model, kind, price_class, BOOK_CURRENCY, instant_us(at), above, nano, origin)
        for price_class, context in classes
        for at in _change_instants(info)
        for kind, above, nano in _priced_kinds(_sheet(info, at, price_class, context), thresholds)
    ]


def _find(provider: str, model: str) -> "tuple[Provider, ModelInfo, str] | None":
    """The book's provider and model for `model`, and the origin to write down; None rather than a guess."""
    from genai_prices import __version__
    from genai_prices.data_snapshot import get_snapshot

    book = {known.id: known for known in get_snapshot().providers}
    own = book.get(_BOOK_PROVIDERS.get(provider, ""))
    if own is None:
        return None
    for owner in (own, *(book[name] for name in own.fallback_model_providers or () if name in book)):
        for name in dict.fromkeys((model, model.rsplit("/", 1)[-1])):
            info = _model_of(owner, name)
            if info is not None:
                origin = f"genai-prices {__version__}"
                named = info.id if owner is own else f"{owner.id}/{info.id}"
                return owner, info, origin if named == model else f"{origin}: {named}"
    return None


def _model_of(owner: "Provider", name: str) -> "ModelInfo | None":
    """The model of `owner` called `name`: by its id, else by a match of the book that stays in the family."""
    by_id = next((info for info in owner.models if info.id == name), None)
    if by_id is not None:
        return by_id
    matched = owner.find_model(name)
    if matched is None or not (_is_stated_alias(matched.match, name) or same_family(name, matched.id)):
        return None
    return matched


def _is_stated_alias(logic: "MatchLogic", name: str) -> bool:
    """Whether the book names `name` itself, letter by letter, as one of this model's names."""
    equals = getattr(logic, "equals", None)
    if equals is not None:
        return bool(equals.lower() == name.lower())
    return any(_is_stated_alias(clause, name) for clause in getattr(logic, "or_", ()))


def same_family(name: str, known: str) -> bool:
    """Whether two model names differ only in date, revision, region, publisher or maturity.

    `gemini-2.5-pro-preview-05-06` and `gemini-2.5-pro` are one family; `gemini-2.5-pro-tts` is another.
    """
    return _family(name) == _family(known)


def _family(name: str) -> frozenset[str]:
    undated = re.sub(r"-preview-\d\d-\d{2,4}$", "", _DATE_SUFFIX.sub("", name.lower()))
    words = re.sub(r":\d+$", "", undated).replace(".", "-").split("-")
    parts = {part for word in words for part in re.split(r"[@:/_]", word) if part}
    return frozenset(part for part in parts - _WORDS_NEUTRAL if not _REVISION.fullmatch(part))


def _conditions(info: "ModelInfo") -> "list[tuple[object, ModelPrice]]":
    """Every (constraint, prices) pair of the model: its standard prices and its variants."""
    standard = info.prices if isinstance(info.prices, list) else []
    return [(item.constraint, item.prices) for item in (*standard, *(info.price_variants or ()))]


def _depends_on_hour(info: "ModelInfo") -> bool:
    return any(hasattr(constraint, "start_time") for constraint, _ in _conditions(info))


def _change_instants(info: "ModelInfo") -> list[datetime]:
    """1970, and midnight UTC of every day on which a price of the model changes."""
    days = {constraint.start_date for constraint, _ in _conditions(info) if hasattr(constraint, "start_date")}
    return [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in sorted({date(1970, 1, 1), *days})]


def _classes(info: "ModelInfo") -> set[tuple[str | None, str]]:
    """The (price class, context key) pairs for which the book has rates of this model."""
    return {
        (value, key)
        for variant in info.price_variants or ()
        for key, value in variant.when.items()
        if len(variant.when) == 1 and key in _CLASS_CONTEXTS and value != _CLASS_STANDARD
    }


def _sheet(info: "ModelInfo", at: datetime, price_class: str | None, context: str) -> "ModelPrice | None":
    """The prices in force at `at`; None before the class has any (the book would fall back to standard)."""
    if price_class is None:
        return info.get_prices(at)
    wanted = {context: price_class}
    variants = [variant for variant in info.price_variants or () if variant.when == wanted]
    if not any(variant.constraint is None or variant.constraint.active(at) for variant in variants):
        return None
    return info.get_prices(at, wanted)


def _thresholds(info: "ModelInfo") -> list[int]:
    """0 and every long-context threshold that any price of the model ever had."""
    sheets = [prices for _, prices in _conditions(info)]
    if not isinstance(info.prices, list):
        sheets.append(info.prices)
    prices = [price for sheet in sheets for price in vars(sheet).values()]
    return sorted({0, *(tier.start for price in prices for tier in getattr(price, "tiers", ()))})


def _priced_kinds(sheet: "ModelPrice | None", thresholds: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """(usage kind, threshold, nano per million) of each price; thinking as output unless stated."""
    if sheet is None:
        return
    kinds = dict(_kinds(sheet))
    if "output" in kinds:
        kinds.setdefault("thinking", kinds["output"])
    for kind, (price, units_per_price) in kinds.items():
        for above in thresholds:
            yield kind, above, _nano_per_million(_amount_above(price, above), units_per_price)


def _amount_above(price: "Decimal | TieredPrices", above: int) -> Decimal:
    """One price for inputs just over `above`: that of the highest tier that starts there or lower."""
    if isinstance(price, Decimal):
        return price
    return max(((tier.start, tier.price) for tier in price.tiers if tier.start <= above), default=(0, price.base))[1]


def _kinds(sheet: "ModelPrice") -> Iterator[tuple[str, tuple["Decimal | TieredPrices", int]]]:
    """(usage kind, (price, units the price is for)) for each price that `sheet` states."""
    from genai_prices.data_units import unit_data

    for usage_key, unit in unit_data.items():
        price = vars(sheet).get(unit.get("price_key", usage_key))
        if price is not None:
            yield _KINDS.get(usage_key, usage_key), (price, unit["per"])


def _nano_per_million(amount: Decimal, units_per_price: int) -> int:
    """`amount` per `units_per_price` units as nano-units per 10^6 units, half to even."""
    nano = amount.scaleb(9) * UNITS_PER_PRICE / units_per_price
    return int(nano.to_integral_value(rounding=ROUND_HALF_EVEN))
