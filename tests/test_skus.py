"""Facts about the text of bills: which SKU names which model, usage kind and price class."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sources.skus import (
    SkuMeaning,
    SkuRule,
    normalised_model,
    provider_of,
    recognise,
    usage_factor,
)

VERTEX = "gcp.vertex_ai"
GEMINI = "gcp.gemini"
BEDROCK = "aws.bedrock"


@pytest.mark.parametrize(
    ("sku", "model", "kind", "price_class"),
    [
        ("Gemini 2.5 Flash GA Text Input - Predictions", "gemini-2.5-flash", "input", None),
        ("Gemini 2.5 Flash GA Text Output - Predictions", "gemini-2.5-flash", "output", None),
        ("Gemini 2.5 Flash GA Thinking Text Output - Predictions", "gemini-2.5-flash", "thinking", None),
        ("Gemini 2.5 Flash GA Audio Input - Predictions", "gemini-2.5-flash", "audio_input", None),
        ("Gemini 2.5 Flash GA Image Input - Predictions", "gemini-2.5-flash", "input", None),
        (
            "Gemini 2.5 Flash Lite GA Text Input - Batch Predictions",
            "gemini-2.5-flash-lite",
            "input",
            "batch",
        ),
        ("Gemini 2.0 Flash Text Output - Predictions", "gemini-2.0-flash", "output", None),
        ("Gemini 3.5 Flash Global Text Output - Predictions", "gemini-3.5-flash", "output", None),
        ("Gemini 3.5 Flash Regional Text Output - Predictions", "gemini-3.5-flash", "output", "regional"),
        ("Gemini 3.0 Pro Text Input (Long) - Predictions", "gemini-3-pro", "input", "long"),
        ("Gemini 3 Flash Text Input Caching", "gemini-3-flash", "cached_input", None),
        ("Gemini 3 Flash Text Input Caching Storage", "gemini-3-flash", "cache_storage", None),
        ("Gemini 3 Flash Text Input Caching Flex", "gemini-3-flash", "cached_input", "flex"),
        ("Gemini 3 Flash Text Output Priority - Predictions", "gemini-3-flash", "output", "priority"),
        ("Gemini 3 Pro Text Output (Long) - Batch Predictions", "gemini-3-pro", "output", "batch+long"),
        ("Gemini 3.1 Flash Image Output", "gemini-3.1-flash-image", "image", None),
        ("Gemini 3.0 Pro Image Output", "gemini-3-pro-image", "image", None),
        ("Gemini 3.0 Pro Image Text Output", "gemini-3-pro-image", "output", None),
        ("Imagen 4 fast Generation (output)", "imagen-4.0-fast-generate", "image", None),
        ("Claude Sonnet 4.5 Input Tokens", "claude-sonnet-4-5", "input", None),
        ("Claude 3.5 Sonnet v2 - Cache Write Tokens", "claude-3-5-sonnet", "cache_write", None),
        ("Claude Opus 4.1 Cache Read Tokens (>200K)", "claude-opus-4-1", "cached_input", "long"),
    ],
)
def test_vertex_skus_are_understood(sku: str, model: str, kind: str, price_class: str | None) -> None:
    """The Vertex AI family says model, modality, direction and tier; global is the standard price."""
    assert recognise("Vertex AI", sku, ()) == SkuMeaning(VERTEX, model, kind, price_class)


@pytest.mark.parametrize(
    ("sku", "model", "kind", "price_class"),
    [
        ("Generate content input token count gemini 3.5 flash text", "gemini-3.5-flash", "input", None),
        (
            "Generate content cached input token count gemini 3.5 flash text",
            "gemini-3.5-flash",
            "cached_input",
            None,
        ),
        (
            "Generate content output token count gemini 2.5 flash short output text non-thinking",
            "gemini-2.5-flash",
            "output",
            None,
        ),
        (
            "Generate content output token count gemini 2.5 flash short output text thinking",
            "gemini-2.5-flash",
            "thinking",
            None,
        ),
        (
            "Generate content input token count gemini 2.5 pro long input text",
            "gemini-2.5-pro",
            "input",
            "long",
        ),
        (
            "Generate_content image output token count for Gemini 3 Pro Image",
            "gemini-3-pro-image",
            "image",
            None,
        ),
    ],
)
def test_gemini_api_skus_are_understood(sku: str, model: str, kind: str, price_class: str | None) -> None:
    """The Gemini API family writes sentences; cached input is not input, non-thinking is not thinking."""
    assert recognise("Gemini API", sku, ()) == SkuMeaning(GEMINI, model, kind, price_class)


@pytest.mark.parametrize(
    ("usage_type", "model", "kind", "price_class"),
    [
        ("USE1-Claude4.6Sonnet-input-tokens", "claude-sonnet-4-6", "input", None),
        ("USE1-Claude4.6Sonnet-output-tokens", "claude-sonnet-4-6", "output", None),
        ("USE1-Claude4.6Sonnet-cache-read-input-token-count", "claude-sonnet-4-6", "cached_input", None),
        ("USE1-Claude4.6Sonnet-cache-write-input-token-count", "claude-sonnet-4-6", "cache_write", None),
        ("USW2-Claude4.5Haiku-mantle-output-tokens-flex", "claude-haiku-4-5", "output", "flex"),
        ("USE1-Claude4.6Sonnet-output-tokens-cross-region-global", "claude-sonnet-4-6", "output", "global"),
        ("EU-NovaLite-input-tokens-batch", "nova-lite", "input", "batch"),
    ],
)
def test_bedrock_usage_types_are_understood(usage_type: str, model: str, kind: str, price_class: str | None) -> None:
    """A usage type of Bedrock is region, model, token type and tier; the four token types are kept apart."""
    assert recognise("Amazon Bedrock", usage_type, ()) == SkuMeaning(BEDROCK, model, kind, price_class)


@pytest.mark.parametrize(
    ("service", "sku"),
    [
        ("Compute Engine", "N1 Predefined Instance Core running in Americas"),
        ("", "Tax"),
        ("Vertex AI", "Gemini 2.5 Flash Tuning"),
        ("Vertex AI", "Gemini 2.5 Flash Grounding with Google Search"),
        ("Vertex AI", "Veo Generation 720p with Audio"),
        ("Vertex AI", "Gemini 2.5 Flash GA - Predictions"),
        ("Amazon Bedrock", "USE1-Claude4.6Sonnet-input-tokens-moonlight"),
        ("Amazon Bedrock", "USE1-Guardrail-TextUnits"),
        ("Vertex AI", ""),
    ],
)
def test_what_is_no_known_usage_is_not_guessed(service: str, sku: str) -> None:
    """Other services, and SKUs with a word outside of the vocabulary, have no meaning."""
    assert recognise(service, sku, ()) is None


@pytest.mark.parametrize(
    ("service", "provider"),
    [
        ("Vertex AI", VERTEX),
        ("C7E2-9256-1C43", VERTEX),
        ("Gemini Enterprise Agent Platform", VERTEX),
        ("Gemini API", GEMINI),
        ("Generative Language API", GEMINI),
        ("Amazon Bedrock", BEDROCK),
        ("Azure OpenAI", "azure.ai.openai"),
        ("OpenAI", "openai"),
        ("Anthropic", "anthropic"),
        ("Compute Engine", None),
        ("", None),
    ],
)
def test_the_bills_service_names_the_provider(service: str, provider: str | None) -> None:
    """Services are known by name or id; Azure's OpenAI is not OpenAI's."""
    assert provider_of(service) == provider


def test_the_contracts_rules_read_the_contracts_bill() -> None:
    """The user's rules come first; a named group gives the model, an unknown service no provider."""
    rules = (
        SkuRule(r"^Acme (?P<model>\S+) Cached Input Tokens$", "cached_input"),
        SkuRule(r"^Acme (?P<model>\S+) Input Tokens$", "input"),
        SkuRule(r"Text Output", "output", model="mine", provider="acme", price_class="gold"),
    )
    assert recognise("Acme AI", "Acme acme-chat-1 Cached Input Tokens", rules) == SkuMeaning(
        None, "acme-chat-1", "cached_input", None
    )
    assert recognise("Vertex AI", "Acme acme-chat-1 Input Tokens", rules) == SkuMeaning(
        VERTEX, "acme-chat-1", "input", None
    )
    assert recognise("Vertex AI", "Gemini 2.5 Flash GA Text Output - Predictions", rules) == SkuMeaning(
        "acme", "mine", "output", "gold"
    )


def test_an_unknown_service_goes_by_the_familys_style() -> None:
    """Where the service says nothing, Google's two families tell themselves apart by their wording."""
    vertex = recognise("", "Gemini 2.5 Flash GA Text Input - Predictions", ())
    gemini = recognise("", "Generate content input token count gemini 3.5 flash text", ())
    assert vertex is not None
    assert gemini is not None
    assert (vertex.provider, gemini.provider) == (VERTEX, GEMINI)


@given(service=st.text(max_size=30), sku=st.text(max_size=80))
def test_no_text_breaks_it(service: str, sku: str) -> None:
    """Whatever a bill says, there is a meaning with a model and a kind, or none."""
    meaning = recognise(service, sku, ())
    assert meaning is None or (meaning.model and meaning.usage_kind)


@pytest.mark.parametrize(
    ("logged", "billed"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("gemini-3-pro-preview", "gemini-3-pro"),
        ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("publishers/google/models/gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("amazon.nova-lite-v1:0", "nova-lite"),
        ("acme-chat-1", "acme-chat-1"),
    ],
)
def test_logs_and_bills_meet_under_one_name(logged: str, billed: str) -> None:
    """The normalised name leaves out publisher, region, date, revision and maturity, and is stable."""
    assert normalised_model(logged) == billed
    assert normalised_model(billed) == billed


@pytest.mark.parametrize(
    ("unit", "pricing_unit", "usage_kind", "expected"),
    [
        ("count", "1000000 count", "output", (1, 1)),
        ("count", None, None, (1, 1)),
        ("count", "1000 images", "image", (1, 1)),
        ("count", "1000 images", "output", None),
        ("count", "1000 requests", "output", None),
        ("Tokens", None, "input", (1, 1)),
        ("Tokens", None, "image", None),
        ("1000 Tokens", None, "input", (1_000, 1)),
        ("1K tokens", None, "input", (1_000, 1)),
        ("1M tokens", None, "input", (1_000_000, 1)),
        ("1,000,000 tokens", None, "input", (1_000_000, 1)),
        ("Million tokens", None, "input", (1_000_000, 1)),
        ("images", None, "image", (1, 1)),
        ("", "1000000 Tokens", "input", (1_000_000, 1)),
        ("requests", None, None, None),
        ("gibibyte hour", None, None, None),
        ("", None, None, None),
    ],
)
def test_units_become_tokens_or_nothing(
    unit: str, pricing_unit: str | None, usage_kind: str | None, expected: tuple[int, int] | None
) -> None:
    """An amount in the bill's unit becomes tokens or images by a whole factor; other units are refused."""
    assert usage_factor(unit, pricing_unit, usage_kind) == expected
