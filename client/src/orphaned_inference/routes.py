"""Which URL paths are inference calls: a path comes in; provider, account, model and operation go out.

The user's routes are asked first, then the well-known paths of the providers, whatever the host: a gateway
or a loopback test answers under the same paths. What is no inference call (counting tokens, listing models,
polling a batch) gives None. Standard library only, and Python 3.9: the client package carries a copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Route:
    """One route of the user. `match` is searched in the decoded path, without its query.

    Its named groups (provider, account, model, operation) win over the fields of the same name.
    """

    match: str
    provider: str | None = None
    account: str | None = None
    model: str | None = None
    operation: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class RouteMatch:
    """What a path says about its call; None where it does not say. `stream` is often in the body instead."""

    provider: str | None
    account: str | None
    model: str | None
    operation: str | None
    stream: bool | None
    service: str | None = None


# Verbs of Google's APIs that compute an answer at once, and not as a stream unless the query asks for one.
_UNARY = frozenset({
    "batch_embed_contents", "embed_content", "generate_content", "predict", "predict_long_running",
    "raw_predict",
})  # fmt: skip
# Verbs that stream without saying so at their beginning: verb -> the same verb for one answer.
_STREAMED = {
    "server_streaming_predict": "predict",
    "invoke_with_response_stream": "invoke",
    "converse_stream": "converse",
}
_COMPUTING = _UNARY | {"stream_" + name for name in _UNARY} | set(_STREAMED) | set(_STREAMED.values())
# Verbs of an API -> OpenTelemetry's gen_ai.operation.name, where that has another word for it.
_OPERATIONS = {
    "converse": "chat",
    "invoke": "invoke_model",
    "embed_content": "embeddings",
    "batch_embed_contents": "embeddings",
}
# Names of operations that compute no answer, in a user's route as well. A batch job is accounted for by its
# own record, not by the call that files it. Of the well-known verbs only those above count as inference.
_NO_INFERENCE = frozenset({
    "batch_generate_content", "cancel", "compute_tokens", "count_tokens", "fetch_predict_operation",
})  # fmt: skip

# Tried in order, searched in the path; a group that did not take part says nothing.
_VERTEX = r"(?:^|/)v1(?:beta\d|alpha\d?)?/(?:projects/(?P<account>[^/]+)/locations/[^/]+/)?"
_BUILT_IN: tuple[tuple[str, Mapping[str, str]], ...] = (
    (_VERTEX + r"publishers/anthropic/models/(?P<model>[^/:]+):(?P<verb>streamRawPredict|rawPredict)$",
     {"provider": "gcp.vertex_ai", "operation": "chat"}),
    (_VERTEX + r"publishers/[^/]+/models/(?P<model>[^/:]+):(?P<verb>\w+)$", {"provider": "gcp.vertex_ai"}),
    (r"/projects/(?P<account>[^/]+)/locations/[^/]+/endpoints/openapi/chat/completions$",
     {"provider": "gcp.vertex_ai", "operation": "chat"}),
    (r"/projects/(?P<account>[^/]+)/locations/[^/]+/endpoints/(?P<model>[^/:]+):(?P<verb>\w+)$",
     {"provider": "gcp.vertex_ai"}),
    (r"(?:^|/)v1(?:beta|alpha)?/(?:models|tunedModels)/(?P<model>[^/:]+):(?P<verb>\w+)$",
     {"provider": "gcp.gemini"}),
    (r"(?:^|/)v1(?:beta|alpha)/openai/chat/completions$", {"provider": "gcp.gemini", "operation": "chat"}),
    (r"(?:^|/)v1(?:beta|alpha)/openai/embeddings$", {"provider": "gcp.gemini", "operation": "embeddings"}),
    (r"(?:^|/)model/(?P<model>[^/]+)/(?P<verb>invoke|invoke-with-response-stream|converse|converse-stream)$",
     {"provider": "aws.bedrock"}),
    (r"/openai/deployments/(?P<model>[^/]+)/chat/completions$",
     {"provider": "azure.ai.openai", "operation": "chat"}),
    (r"/openai/deployments/(?P<model>[^/]+)/completions$",
     {"provider": "azure.ai.openai", "operation": "text_completion"}),
    (r"/openai/deployments/(?P<model>[^/]+)/embeddings$",
     {"provider": "azure.ai.openai", "operation": "embeddings"}),
    (r"/openai/deployments/(?P<model>[^/]+)/images/(?:generations|edits)$",
     {"provider": "azure.ai.openai", "operation": "image_generation"}),
    (r"/openai/responses$", {"provider": "azure.ai.openai", "operation": "chat"}),
    (r"(?:^|/)v1/messages$", {"provider": "anthropic", "operation": "chat"}),
    (r"(?:^|/)v1/complete$", {"provider": "anthropic", "operation": "text_completion"}),
    (r"(?:^|/)v1/(?:fim|agents)/completions$", {"provider": "mistral_ai", "operation": "text_completion"}),
    (r"(?:^|/)v[12]/chat$", {"provider": "cohere", "operation": "chat"}),
    (r"(?:^|/)v[12]/embed$", {"provider": "cohere", "operation": "embeddings"}),
    (r"(?:^|/)(?:chat/completions|v1/responses)$", {"provider": "openai", "operation": "chat"}),
    (r"(?:^|/)v1/completions$", {"provider": "openai", "operation": "text_completion"}),
    (r"(?:^|/)v1/embeddings$", {"provider": "openai", "operation": "embeddings"}),
    (r"(?:^|/)v1/images/(?:generations|edits|variations)$",
     {"provider": "openai", "operation": "image_generation"}),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), says) for pattern, says in _BUILT_IN)

# Hosts that answer under somebody else's paths. Only a whole URL has a host; a bare path goes by the table.
_HOSTS = (
    ("api.deepseek.com", "deepseek"),
    ("api.fireworks.ai", "fireworks"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.together.xyz", "together_ai"),
    ("api.x.ai", "x_ai"),
    ("openrouter.ai", "openrouter"),
    ("openai.azure.com", "azure.ai.openai"),
    ("services.ai.azure.com", "azure.ai.inference"),
)


def match(path: str, routes: Sequence[Route]) -> RouteMatch | None:
    """What the call to `path` is (as logged: with or without host, query, percent signs); None: no inference.

    What the user's route leaves open is filled in from the well-known path, if the path is one.
    """
    host, bare, query = _split(path)
    known = _well_known(bare, host)
    told = _told_by_user(unquote(bare), routes)
    if told is None:
        found = known
    elif told.operation in _NO_INFERENCE:
        found = None
    else:
        found = told if known is None else _filled(told, known)
    if found is not None and "alt=sse" in query.split("&"):
        return _with_stream(found)
    return found


def operation_of(verb: str) -> tuple[str, bool | None]:
    """A verb of an API in snake_case without its streaming part, and whether it streams (None: not said).

    `streamGenerateContent` is ("generate_content", True); a name that is snake_case already stays as it is.
    """
    name = _snake(verb)
    stream: bool | None
    if name in _STREAMED:
        name, stream = _STREAMED[name], True
    elif name.startswith("stream_"):
        name, stream = name[len("stream_") :], True
    else:
        stream = False if name in _UNARY or name in _STREAMED.values() else None
    return _OPERATIONS.get(name, name), stream


def _snake(verb: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", verb).lower()


def _split(path: str) -> tuple[str, str, str]:
    """Host (or ""), path without a slash at its end, and query. Only colons are decoded in the path."""
    if re.match(r"https?://", path, re.IGNORECASE):
        try:
            parts = urlsplit(path)
            host, bare, query = parts.hostname or "", parts.path, parts.query
        except ValueError:  # a log may hold anything, such as an unclosed bracket in the host
            return "", "", ""
    else:
        host = ""
        bare, _, query = path.partition("#")[0].partition("?")
    return host, re.sub("%3a", ":", bare.rstrip("/"), flags=re.IGNORECASE), query


def _told_by_user(path: str, routes: Sequence[Route]) -> RouteMatch | None:
    for route in routes:
        found = re.search(route.match, path)
        if found:
            said = {key: value for key, value in found.groupdict().items() if value}
            verb = said.get("operation", route.operation)
            operation, stream = operation_of(verb) if verb else (None, None)
            return RouteMatch(
                provider=said.get("provider", route.provider),
                account=said.get("account", route.account),
                model=said.get("model", route.model),
                operation=operation,
                stream=stream,
                service=route.service,
            )
    return None


def _well_known(path: str, host: str) -> RouteMatch | None:
    for pattern, says in _PATTERNS:
        found = pattern.search(path)
        if found:
            return _known(found.groupdict(), says, host)
    return None


def _known(groups: Mapping[str, str | None], says: Mapping[str, str], host: str) -> RouteMatch | None:
    verb = groups.get("verb")
    operation, stream = operation_of(verb) if verb else (says["operation"], None)
    if verb and _snake(verb) not in _COMPUTING:
        return None
    model, account = unquote(groups.get("model") or ""), unquote(groups.get("account") or "")
    if model.startswith("arn:"):  # arn:aws:bedrock:REGION:ACCOUNT:inference-profile/MODEL
        account, model = "".join(model.split(":")[4:5]), model.rpartition("/")[2]
    return RouteMatch(
        provider=_provider_at(host) or says["provider"],
        account=account or None,
        model=model or None,
        operation=says.get("operation", operation),
        stream=stream,
    )


def _provider_at(host: str) -> str | None:
    return next((name for known, name in _HOSTS if ("." + host).endswith("." + known)), None)


def _filled(told: RouteMatch, known: RouteMatch) -> RouteMatch:
    return RouteMatch(
        provider=told.provider or known.provider,
        account=told.account or known.account,
        model=told.model or known.model,
        operation=told.operation or known.operation,
        stream=known.stream if told.stream is None else told.stream,
        service=told.service,
    )


def _with_stream(found: RouteMatch) -> RouteMatch:
    return RouteMatch(found.provider, found.account, found.model, found.operation, True, found.service)
