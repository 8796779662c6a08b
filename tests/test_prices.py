"""Facts about dated unit prices: expected values are written as the arithmetic of the price pages."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from collector.costing.prices import (
    ConfiguredPrice,
    PriceRow,
    price_rows,
    rows_from_book,
    rows_from_config,
    same_family,
)
from collector.records import instant_us

NANO = 1_000_000_000
JANUARY_US = instant_us(datetime(2026, 1, 1, tzinfo=UTC))
ACME = ConfiguredPrice(
    model="acme-chat-1",
    from_us=JANUARY_US,
    currency="EUR",
    per_mtok={"input": "0.30", "cached_input": "0.03", "output": "2.50"},
)


def nano_by_kind(rows: list[PriceRow], *, price_class: str | None = None, above: int = 0) -> dict[str, int]:
    """The newest price of each kind of one class and threshold."""
    chosen = [row for row in rows if row.price_class == price_class and row.input_tokens_above == above]
    return {row.usage_kind: row.nano_per_million for row in sorted(chosen, key=lambda row: row.from_us)}


def test_configured_prices_are_exact_nano_units_per_million() -> None:
    """A decimal text per million tokens becomes whole nano-units, in its own currency and from its date."""
    rows = rows_from_config([ACME])
    assert nano_by_kind(rows) == {
        "input": 30 * NANO // 100,
        "cached_input": 3 * NANO // 100,
        "output": 250 * NANO // 100,
        "thinking": 250 * NANO // 100,
    }
    assert {(row.currency, row.from_us, row.provider, row.origin) for row in rows} == {
        ("EUR", JANUARY_US, None, "config")
    }


def test_thinking_has_its_own_price_where_stated() -> None:
    """Thinking costs what output costs only as long as nobody says otherwise."""
    price = ConfiguredPrice("m", 0, "USD", {"output": "2", "thinking": "3.5"})
    assert nano_by_kind(rows_from_config([price])) == {"output": 2 * NANO, "thinking": 35 * NANO // 10}


def test_an_absent_cached_price_stays_absent() -> None:
    """No price is made up from another: without cached_input there is no row for it."""
    rows = rows_from_config([ConfiguredPrice("m", 0, "USD", {"input": "1"})])
    assert [row.usage_kind for row in rows] == ["input"]


def test_a_price_per_image_is_stated_per_million_images() -> None:
    """One image at 0.039 is 39,000 for a million of them."""
    rows = rows_from_config([ConfiguredPrice("m", 0, "USD", {}, per_image="0.039")])
    assert nano_by_kind(rows) == {"image": 39_000 * NANO}


def test_a_wrong_configured_price_is_refused() -> None:
    """A text that is no decimal amount raises ValueError rather than costing zero."""
    with pytest.raises(ValueError, match="cheap"):
        rows_from_config([ConfiguredPrice("m", 0, "USD", {"input": "cheap"})])


def test_the_book_prices_gemini_for_both_google_providers() -> None:
    """Vertex AI and the Gemini API share one price list: 1.50 in, 0.15 cached, 9 out for Gemini 3.5 Flash."""
    for provider in ("gcp.vertex_ai", "gcp.gemini"):
        rows = rows_from_book(provider, "gemini-3.5-flash")
        prices = nano_by_kind(rows)
        assert prices["input"] == 15 * NANO // 10
        assert prices["cached_input"] == 15 * NANO // 100
        assert prices["output"] == prices["thinking"] == 9 * NANO
        assert {(row.provider, row.currency, row.origin) for row in rows} == {(provider, "USD", "genai-prices 0.2.3")}


def test_long_inputs_have_rows_of_their_own() -> None:
    """Gemini 2.5 Pro costs 1.25 and 10 up to 200,000 input tokens, 2.50 and 15 above."""
    rows = rows_from_book("gcp.vertex_ai", "gemini-2.5-pro")
    short, long = nano_by_kind(rows), nano_by_kind(rows, above=200_000)
    assert (short["input"], long["input"]) == (125 * NANO // 100, 25 * NANO // 10)
    assert (short["output"], long["output"]) == (10 * NANO, 15 * NANO)


def test_abolished_long_context_prices_end_at_their_date() -> None:
    """Where a model gave up its long-context price, the newest row for long inputs is the plain price."""
    rows = rows_from_book("anthropic", "claude-sonnet-4-6")
    above = [row for row in rows if row.input_tokens_above == 200_000 and row.usage_kind == "input"]
    standard = sorted((row.from_us, row.nano_per_million) for row in above if row.price_class is None)
    assert standard[0] == (0, 6 * NANO)
    assert standard[-1][1] == 3 * NANO


def test_batch_prices_start_when_the_book_knows_them() -> None:
    """The batch class has no row before its date, and half the standard price from then on."""
    rows = [row for row in rows_from_book("gcp.gemini", "gemini-2.5-flash") if row.price_class == "batch"]
    assert min(row.from_us for row in rows) == instant_us(datetime(2026, 10, 14, tzinfo=UTC))
    prices = nano_by_kind(rows, price_class="batch")
    assert (prices["input"], prices["output"]) == (15 * NANO // 100, 125 * NANO // 100)
    assert prices["cached_input"] == 3 * NANO // 100  # not discounted, says the price page


def test_each_instant_of_change_has_every_kind_once() -> None:
    """No two rows say different prices for the same model, kind, class, date and threshold."""
    for provider, model in (
        ("openai", "gpt-5"),
        ("anthropic", "claude-sonnet-4-5"),
        ("gcp.gemini", "gemini-2.5-pro"),
    ):
        rows = rows_from_book(provider, model)
        keys = {(row.usage_kind, row.price_class, row.from_us, row.input_tokens_above) for row in rows}
        assert len(keys) == len(rows) > 0


def test_unknown_models_and_providers_have_no_rows() -> None:
    """What the book does not know is missing; the caller records the problem."""
    assert rows_from_book("gcp.vertex_ai", "gemini-9-ultra") == []
    assert rows_from_book("acme", "gemini-2.5-flash") == []
    assert rows_from_book("openai", "") == []


def test_a_neighbour_of_the_family_is_no_price() -> None:
    """The book would price gemini-2.5-pro-foo as gemini-2.5-pro; here it has no price."""
    assert rows_from_book("gcp.gemini", "gemini-2.5-pro-foo") == []


@pytest.mark.parametrize(
    ("provider", "model", "named"),
    [
        ("gcp.gemini", "gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "gpt-5-codex", "gpt-5"),
        ("azure.ai.openai", "gpt-5", "openai/gpt-5"),
    ],
)
def test_a_match_under_another_name_is_written_down(provider: str, model: str, named: str) -> None:
    """The book's own name for the model stands in the origin, so that explain can name the price used."""
    rows = rows_from_book(provider, model)
    assert {(row.model, row.origin) for row in rows} == {(model, f"genai-prices 0.2.3: {named}")}


def test_prices_by_the_hour_of_the_day_are_left_out() -> None:
    """DeepSeek's prices change with the hour: one dated row would be wrong for part of every day."""
    assert rows_from_book("deepseek", "deepseek-chat") == []


def test_azure_gets_no_batch_rates_of_openai() -> None:
    """A provider whose models are found at another one gets that one's standard prices only."""
    assert {row.price_class for row in rows_from_book("azure.ai.openai", "gpt-5")} == {None}


def test_searches_are_priced_by_the_million_too() -> None:
    """Units that the book states by the thousand are brought to 10^6: 14 a thousand searches is 14,000."""
    assert nano_by_kind(rows_from_book("gcp.gemini", "gemini-3.5-flash"))["web_searches"] == 14_000 * NANO


def test_the_configs_rows_come_first() -> None:
    """For one model the user's own prices stand before the book's, and each model is looked up once."""
    mine = ConfiguredPrice("gemini-3.5-flash", JANUARY_US, "USD", {"input": "1"}, provider="gcp.vertex_ai")
    rows = price_rows([mine], [("gcp.vertex_ai", "gemini-3.5-flash")] * 2)
    assert [row.origin for row in rows[:2]] == ["config", "genai-prices 0.2.3"]
    assert len(rows) == 1 + len(rows_from_book("gcp.vertex_ai", "gemini-3.5-flash"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("gpt-4o-mini", "gpt-4o", False),
        ("gpt-4", "gpt-4.1", False),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5", True),
        ("gemini-2.5-flash-lite", "gemini-2.5-flash", False),
        ("gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash", True),
    ],
)
def test_families_differ_in_more_than_dates(one: str, other: str, same: bool) -> None:
    """Dates, revisions, regions and publishers are no other model; mini, lite or another version are."""
    assert same_family(one, other) is same


def test_the_module_is_cheap_to_import() -> None:
    """genai-prices (a third of a second) is not imported before somebody asks for its prices."""
    script = "import sys, collector.costing.prices; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
