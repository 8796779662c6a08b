"""What one call can cost at most, and how much of the budget is left: a body and prices come in, nano-units go out.

A token of text is never less than a byte, so the body's bytes bound its input; the body's own limit bounds the output.
The dearest price in force is taken, whatever the class. This module refuses to guess: what it cannot bound is a
UsageError that says what to give.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collector.costing.prices import UNITS_PER_PRICE, ConfiguredPrice, price_rows
from collector.costing.steps import effective
from collector.problems import UsageError

TEMPLATE_TOKENS = 1_000  # that a provider may put around the messages
_OUTPUT_LIMITS = (
    "generationConfig.maxOutputTokens", "generation_config.max_output_tokens", "inferenceConfig.maxTokens",
    "parameters.maxOutputTokens", "textGenerationConfig.maxTokenCount", "max_output_tokens",
    "max_completion_tokens", "max_tokens", "max_tokens_to_sample", "max_gen_len",
)  # fmt: skip
_COUNTS = ("generationConfig.candidateCount", "generation_config.candidate_count", "parameters.sampleCount", "n")
_COUNT_MAX = "; say how many there may be, as `n` or `parameters.sampleCount` in the body"
# Content that a body names and does not hold, and tools that the provider runs: nobody can bound their tokens here.
_OUTSIDE = frozenset({
    "cachedContent", "cached_content", "conversation", "fileData", "file_data", "fileUri", "file_uri", "file_id",
    "image_url", "previous_response_id", "prompt_id", "s3Location", "tools",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one call can use. `output_tokens` are all candidates' together; `images` None: not said."""

    input_tokens: int
    output_tokens: int | None
    images: int | None


@dataclass(frozen=True, slots=True)
class Market:
    """Where prices come from: the config's own, before the price book; in which currency; and when."""

    configured: Sequence[ConfiguredPrice]
    currency: str
    now_us: int


@dataclass
class Budget:
    """What may be spent: taken before a call is sent, never given back. No `cost_max_nano`: only calls are limited."""

    calls_max: int
    cost_max_nano: int | None
    calls: int = 0
    reserved_nano: int = 0

    def take(self, worst_nano: int | None) -> bool:
        """Whether one more call at that worst price fits; if so it is taken.

        Raises UsageError for a price that nobody knows where money is limited.
        """
        if self.cost_max_nano is not None and worst_nano is None:
            raise UsageError("the price of a call is unknown, and money is limited")
        cost = worst_nano or 0
        over = self.cost_max_nano is not None and self.reserved_nano + cost > self.cost_max_nano
        if self.calls >= self.calls_max or over:
            return False
        self.calls += 1
        self.reserved_nano += cost
        return True


def bound_of(body: Mapping[str, Any], sent_bytes: int, *, input_tokens: int | None, output_tokens: int | None) -> Bound:
    """The most that a call with this body can use; the options' figures come first. Raises UsageError."""
    outside = sorted(_OUTSIDE & set(_keys(body)))
    if input_tokens is None and outside:
        raise UsageError(
            f"the body names {', '.join(outside)}: what that adds to the input cannot be bounded from here; "
            "give --input-tokens, the most that a call can use"
        )
    limits = [found for path in _OUTPUT_LIMITS if (found := _whole(body, path)) is not None]
    counts = [found for path in _COUNTS if (found := _whole(body, path)) is not None]
    count = max(counts, default=1)
    output = output_tokens if output_tokens is not None else max(limits) * count if limits else None
    return Bound(
        sent_bytes + TEMPLATE_TOKENS if input_tokens is None else input_tokens, output, max(counts) if counts else None
    )


def _keys(value: Any) -> Iterator[str]:
    """Every key in a JSON value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield from one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _whole(body: Mapping[str, Any], path: str) -> int | None:
    """The whole number at a dotted path. Raises UsageError for anything else that stands there."""
    found: Any = body
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise UsageError(f"the body's {path}: expected a whole number from 1 on")
    return found


def worst_nano(bound: Bound, provider: str, model: str, market: Market) -> int:
    """What such a call can cost at most, in nano-units of the currency. Raises UsageError where it cannot be told."""
    whose = f"{model} at {provider}"
    in_force = _in_force(bound, provider, model, market)
    inputs = [nano for kind, nano in in_force if "input" in kind or kind.startswith("cache_write")]
    outputs = [nano for kind, nano in in_force if kind.endswith("output") or kind == "thinking"]
    images = [nano for kind, nano in in_force if kind == "image"]
    if not images and not (inputs and outputs):
        raise UsageError(
            f"{whose} has no price in {market.currency}, so its worst cost is unknown: name it under `prices` in the "
            "config, or limit calls alone by --max-cost unlimited"
        )
    cost = _product(bound.input_tokens, max(inputs, default=0))
    if outputs and bound.output_tokens is None and not images:
        raise UsageError(
            "the body sets no limit to the output (max_tokens, generationConfig.maxOutputTokens or the like), so a "
            "call's worst cost is unknown: set one, or give --output-tokens"
        )
    if images and bound.images is None:
        raise UsageError(f"{whose} is priced by the image{_COUNT_MAX}")
    cost += _product(bound.output_tokens or 0, max(outputs, default=0))
    return cost + _product(bound.images or 0, max(images, default=0))


def _product(units: int, nano_per_million: int) -> int:
    """What so many units cost, rounded up."""
    return -(-units * nano_per_million // UNITS_PER_PRICE)


def _in_force(bound: Bound, provider: str, model: str, market: Market) -> list[tuple[str, int]]:
    """(usage kind, nano per million) of every class and every threshold that the input may exceed."""
    dated = price_rows(market.configured, [(provider, model)])
    newest: dict[tuple[str, str, int], tuple[int, int]] = {}
    for row in effective(dated, provider, model, market.currency, market.currency):
        reached = row["input_tokens_above"] == 0 or row["input_tokens_above"] < bound.input_tokens
        if row["currency"] == market.currency and row["from_us"] <= market.now_us and reached:
            key = (row["usage_kind"], row["price_class"], row["input_tokens_above"])
            newest[key] = max(newest.get(key, (-1, 0)), (row["from_us"], row["nano_per_million"]))
    return [(kind, nano) for (kind, _, _), (_, nano) in newest.items()]
