"""Facts about how providers' token counts overlap."""

import pytest

from collector.sources.token_counts import TokenDialect, dialect, dialect_rows

GOOGLE = TokenDialect(input_includes_cached=True, output_includes_thinking=False)
OPENAI = TokenDialect(input_includes_cached=True, output_includes_thinking=True)
ANTHROPIC = TokenDialect(input_includes_cached=False, output_includes_thinking=True)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("gcp.vertex_ai", "gemini-3.5-flash", GOOGLE),
        ("gcp.gemini", None, GOOGLE),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", ANTHROPIC),
        ("gcp.vertex_ai", "publishers/anthropic/models/claude-opus-4-1", ANTHROPIC),
        ("openai", "gpt-5", OPENAI),
        ("azure.ai.openai", "gpt-5", OPENAI),
        ("azure.ai.inference", "Claude-Sonnet-4-5", ANTHROPIC),
        ("anthropic", "claude-sonnet-4-5", ANTHROPIC),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ANTHROPIC),
        ("aws.bedrock", "amazon.nova-lite-v1:0", ANTHROPIC),
        ("acme", "acme-chat-1", OPENAI),
        ("", None, OPENAI),
    ],
)
def test_each_provider_counts_in_its_own_way(provider: str, model: str | None, expected: TokenDialect) -> None:
    """Google keeps thoughts apart, Anthropic keeps cached input apart, OpenAI includes both."""
    assert dialect(provider, model) == expected


def test_leaves_of_a_real_google_answer_add_up() -> None:
    """3 prompt + 29 answer + 901 thought tokens are 933: nothing is to be subtracted from the output."""
    prompt, candidates, thoughts, total = 3, 29, 901, 933
    counts = dialect("gcp.vertex_ai", "gemini-2.5-flash")
    output = candidates - thoughts * counts.output_includes_thinking
    assert prompt + output + thoughts == total


def test_the_rows_are_the_table_that_python_uses() -> None:
    """A join that takes the longest provider prefix, then the longest model prefix, agrees with `dialect`."""
    rows = dialect_rows()
    assert len({row[:2] for row in rows}) == len(rows)
    for provider, model in (("gcp.vertex_ai", "claude-x"), ("azure.ai.openai", "gpt-5"), ("x", "claude-x")):
        fitting = [row for row in rows if provider.startswith(row[0]) and model.startswith(row[1])]
        best = max(fitting, key=lambda row: (len(row[0]), len(row[1])))
        assert TokenDialect(best[2], best[3]) == dialect(provider, model)
