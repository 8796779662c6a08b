"""Facts about paths: which are inference calls, of whom, of which model, and whether they stream."""

import ast
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sources import routes as module
from collector.sources.routes import Route, RouteMatch, match, operation_of

VERTEX = "/v1/projects/acme-prod/locations/us-central1/publishers"
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/v1beta/models/gemini-3.5-flash:generateContent",
            RouteMatch("gcp.gemini", None, "gemini-3.5-flash", "generate_content", False),
        ),
        (
            "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse",
            RouteMatch("gcp.gemini", None, "gemini-3.5-flash", "generate_content", True),
        ),
        (
            "/v1beta/models/gemini-3.5-flash%3AstreamGenerateContent",
            RouteMatch("gcp.gemini", None, "gemini-3.5-flash", "generate_content", True),
        ),
        (
            "/v1beta/models/veo-3:predictLongRunning",
            RouteMatch("gcp.gemini", None, "veo-3", "predict_long_running", False),
        ),
        (
            "/v1beta/models/gemini-embedding-001:batchEmbedContents",
            RouteMatch("gcp.gemini", None, "gemini-embedding-001", "embeddings", False),
        ),
        (
            VERTEX + "/google/models/gemini-2.5-pro:streamGenerateContent",
            RouteMatch("gcp.vertex_ai", "acme-prod", "gemini-2.5-pro", "generate_content", True),
        ),
        (
            "/v1beta1/publishers/google/models/gemini-2.5-pro:generateContent",
            RouteMatch("gcp.vertex_ai", None, "gemini-2.5-pro", "generate_content", False),
        ),
        (
            VERTEX + "/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
            RouteMatch("gcp.vertex_ai", "acme-prod", "claude-sonnet-4-5@20250929", "chat", False),
        ),
        (
            VERTEX + "/anthropic/models/claude-sonnet-4-5%4020250929:streamRawPredict",
            RouteMatch("gcp.vertex_ai", "acme-prod", "claude-sonnet-4-5@20250929", "chat", True),
        ),
        (
            "/v1/projects/p/locations/global/endpoints/openapi/chat/completions",
            RouteMatch("gcp.vertex_ai", "p", None, "chat", None),
        ),
        ("/v1/chat/completions", RouteMatch("openai", None, None, "chat", None)),
        ("/v1/chat/completions/", RouteMatch("openai", None, None, "chat", None)),
        ("/proxy/team-a/v1/responses", RouteMatch("openai", None, None, "chat", None)),
        ("/v1/completions", RouteMatch("openai", None, None, "text_completion", None)),
        ("/v1/embeddings", RouteMatch("openai", None, None, "embeddings", None)),
        ("/v1/images/generations", RouteMatch("openai", None, None, "image_generation", None)),
        (
            "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
            RouteMatch("azure.ai.openai", None, "my-gpt", "chat", None),
        ),
        ("/v1/messages?beta=true", RouteMatch("anthropic", None, None, "chat", None)),
        (f"/model/{MODEL}/invoke", RouteMatch("aws.bedrock", None, MODEL, "invoke_model", False)),
        (
            f"/model/{MODEL.replace(':', '%3A')}/invoke-with-response-stream",
            RouteMatch("aws.bedrock", None, MODEL, "invoke_model", True),
        ),
        (f"/model/{MODEL}/converse", RouteMatch("aws.bedrock", None, MODEL, "chat", False)),
        (f"/model/{MODEL}/converse-stream", RouteMatch("aws.bedrock", None, MODEL, "chat", True)),
        (
            f"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.{MODEL}/converse",
            RouteMatch("aws.bedrock", "123456789012", f"us.{MODEL}", "chat", False),
        ),
        ("/v2/chat", RouteMatch("cohere", None, None, "chat", None)),
        ("/v1/fim/completions", RouteMatch("mistral_ai", None, None, "text_completion", None)),
        ("https://api.mistral.ai/v1/chat/completions", RouteMatch("mistral_ai", None, None, "chat", None)),
        (
            "https://x.openai.azure.com/openai/v1/responses",
            RouteMatch("azure.ai.openai", None, None, "chat", None),
        ),
        ("http://127.0.0.1:8080/v1/messages", RouteMatch("anthropic", None, None, "chat", None)),
    ],
)
def test_well_known_paths_are_recognised(path: str, expected: RouteMatch) -> None:
    """The providers' own paths are known whatever the host, with query, percent signs or a prefix."""
    assert match(path, ()) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/gemini-3.5-flash:countTokens",
        VERTEX + "/google/models/gemini-2.5-pro:computeTokens",
        VERTEX + "/google/models/veo-3:fetchPredictOperation",
        "/v1beta/models/gemini-3.5-flash:batchGenerateContent",
        "/v1beta/models/gemini-3.5-flash",
        "/v1/models",
        "/v1/batches/batch_1",
        "/v1/responses/resp_1",
        "/v1/responses/resp_1/cancel",
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/chat/completions/chatcmpl-1",
        "/healthz",
        "http://[broken/v1/messages",
        "-",
        "",
    ],
)
def test_other_calls_are_no_inference(path: str) -> None:
    """Counting tokens, listing models, polling and cancelling compute no answer."""
    assert match(path, ()) is None


ROUTES = (
    Route(r"^/v1/models/(?P<model>[^:/]+):(?P<operation>\w+)", provider="gcp.gemini", account="acme-prod"),
    Route(r"^/v1/answer$", provider="acme", model="acme-chat-1", operation="chat", service="web"),
    Route(r"^/v1/chat/", account="acme-org"),
    Route(r"^/(?P<account>\w+)/(?P<provider>\w+)/ask$", operation="streamAnswer", account="nobody"),
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/v1/models/gemini-3.5-flash:streamGenerateContent",
            RouteMatch("gcp.gemini", "acme-prod", "gemini-3.5-flash", "generate_content", True),
        ),
        (
            "/v1/models/gemini-3.5-flash%3AgenerateContent?key=x",
            RouteMatch("gcp.gemini", "acme-prod", "gemini-3.5-flash", "generate_content", False),
        ),
        ("/v1/models/gemini-3.5-flash:countTokens", None),
        ("/v1/answer?q=1", RouteMatch("acme", None, "acme-chat-1", "chat", None, "web")),
        ("/v1/answer?alt=sse", RouteMatch("acme", None, "acme-chat-1", "chat", True, "web")),
        ("/v1/chat/completions", RouteMatch("openai", "acme-org", None, "chat", None)),
        ("/team/acme/ask", RouteMatch("acme", "team", None, "answer", True)),
        ("/v2/chat", RouteMatch("cohere", None, None, "chat", None)),
    ],
)
def test_the_users_routes_come_first(path: str, expected: RouteMatch | None) -> None:
    """The first route that fits wins, its groups beat its fields, and the well-known path fills the gaps."""
    assert match(path, ROUTES) == expected


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("generateContent", ("generate_content", False)),
        ("streamGenerateContent", ("generate_content", True)),
        ("generate_content", ("generate_content", False)),
        ("serverStreamingPredict", ("predict", True)),
        ("invoke-with-response-stream", ("invoke_model", True)),
        ("ConverseStream", ("chat", True)),
        ("chat", ("chat", None)),
    ],
)
def test_operations_are_written_in_one_way(verb: str, expected: tuple[str, bool | None]) -> None:
    """Verbs become snake_case without their streaming part; None where a verb does not say."""
    assert operation_of(verb) == expected


@given(st.text(max_size=120))
def test_no_path_breaks_it(path: str) -> None:
    """A log may hold anything in place of a path."""
    found = match("/v1/" + path, ROUTES)
    assert found is None or isinstance(found, RouteMatch)
    match("https://" + path, ROUTES)


def test_the_client_can_carry_a_copy() -> None:
    """The module parses as Python 3.9 and imports nothing but the standard library."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {str(name).split(".")[0] for name in imported} <= sys.stdlib_module_names
