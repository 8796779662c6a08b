"""How a provider's token counts overlap: a provider and a model come in, which count includes which goes out.

The ledger keeps leaves that do not overlap (input without cached, output without thinking), so every reader
of a log asks here before it subtracts. This module counts nothing itself, and reads no log.

Sources: the fields of google-genai's `usageMetadata`, openai's `usage` and anthropic's `Usage`, and
OpenTelemetry's GenAI conventions (`gen_ai.usage.input_tokens` includes cached).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenDialect:
    """Whether the input count includes cached input, and the output count includes thinking."""

    input_includes_cached: bool
    output_includes_thinking: bool


_GOOGLE = TokenDialect(input_includes_cached=True, output_includes_thinking=False)
_OPENAI = TokenDialect(input_includes_cached=True, output_includes_thinking=True)
_ANTHROPIC = TokenDialect(input_includes_cached=False, output_includes_thinking=True)

# (provider prefix, model prefix) -> dialect. The longest provider prefix wins, then the longest model prefix.
# Whoever is not named counts as OpenTelemetry asks and as OpenAI does, which most others imitate.
_DIALECTS: tuple[tuple[str, str, TokenDialect], ...] = (
    ("", "", _OPENAI),
    ("anthropic", "", _ANTHROPIC),
    ("aws.bedrock", "", _ANTHROPIC),  # for every model: cache reads and writes are counted beside the input
    ("azure.ai", "", _OPENAI),
    ("azure.ai", "claude", _ANTHROPIC),
    ("gcp.", "", _GOOGLE),
    ("gcp.", "claude", _ANTHROPIC),  # Claude answers in Anthropic's own format, wherever it is hosted
    ("gcp.", "anthropic/", _ANTHROPIC),
    ("gcp.", "publishers/anthropic/", _ANTHROPIC),
    ("openai", "", _OPENAI),
)


def dialect(provider: str, model: str | None) -> TokenDialect:
    """How `provider` (an OpenTelemetry name) counts for `model`, as its own log writes the name."""
    name = (model or "").lower()
    matching = (row for row in _DIALECTS if provider.startswith(row[0]) and name.startswith(row[1]))
    return max(matching, key=lambda row: (len(row[0]), len(row[1])))[2]


def dialect_rows() -> list[tuple[str, str, bool, bool]]:
    """The table, for SQL to join: provider prefix, model prefix, and the two answers of `TokenDialect`.

    A prefix of "" fits everything; the longest provider prefix wins, then the longest model prefix.
    """
    return [
        (provider, model, counts.input_includes_cached, counts.output_includes_thinking)
        for provider, model, counts in _DIALECTS
    ]
