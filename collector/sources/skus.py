"""What the text of a bill names: service and SKU come in; provider, model, usage kind and price class go out.

The user's rules are asked first, then the built-in families: Gemini on Vertex AI ("Agent Platform"), the
Gemini API, Imagen, Claude and GPT by plain words, and the usage types of Amazon Bedrock. A family knows its
vocabulary; a SKU with a word outside of it is not understood, and gives None rather than a guess. Called once
for each distinct (service, SKU), so it need not be fast.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SkuRule:
    """One entry of the config's `skus`: `match` is searched in the SKU, and may have a group `model`."""

    match: str
    usage: str
    model: str | None = None
    provider: str | None = None
    price_class: str | None = None


@dataclass(frozen=True, slots=True)
class SkuMeaning:
    """What one SKU charges for. `price_class` None is the standard one; several are joined: "batch+long"."""

    provider: str | None
    model: str | None
    usage_kind: str | None
    price_class: str | None


# Pattern in a bill's service name or id -> provider. The first that is found wins.
_SERVICES: tuple[tuple[str, str], ...] = (
    (r"^C7E2-9256-1C43$|vertex ai|agent platform|aiplatform", "gcp.vertex_ai"),
    (r"gemini api|generative ?language", "gcp.gemini"),
    (r"bedrock", "aws.bedrock"),
    (r"azure openai|azure ai|foundry", "azure.ai.openai"),
    (r"openai", "openai"),
    (r"anthropic|^claude$", "anthropic"),
    (r"mistral", "mistral_ai"),
    (r"cohere", "cohere"),
)

# Words of a SKU that are known, and say nothing about kind or class.
_WORDS_NEUTRAL = frozenset({
    "5m", "<=200k", "content", "count", "cross", "document", "for", "ga", "generate", "global", "nonthinking",
    "optimized", "prediction", "predictions", "preview", "region", "short", "standard", "token", "tokens",
    "video",
})  # fmt: skip

# Word of a SKU -> what it says.
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("input", "prompt"), "input"),
    **dict.fromkeys(("output", "completion"), "output"),
    **dict.fromkeys(("cached", "caching", "cache"), "cache"),
    **dict.fromkeys(("write", "writes", "creation"), "write"),
    **dict.fromkeys(("read", "reads", "hit", "hits"), "read"),
    **dict.fromkeys(("thinking", "reasoning"), "thinking"),
    **dict.fromkeys(("long", ">200k"), "long"),
    **dict.fromkeys(("batch", "batches"), "batch"),
    "storage": "storage",
    "text": "text",
    "1h": "1h",
    "image": "image",
    "images": "image",
    "audio": "audio",
    "flex": "flex",
    "priority": "priority",
    "regional": "regional",
    "latency": "latency-optimized",
    **dict.fromkeys(_WORDS_NEUTRAL, ""),
}
_CLASSES = ("batch", "flex", "priority", "latency-optimized", "long", "regional", "global")
_PUBLISHERS = "ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen"
_PUBLISHER = re.compile(rf"(?:[a-z-]+\.)?(?:{_PUBLISHERS})\.")
_CLAUDE_NAMES = "fable|haiku|mythos|opus|sonnet"


def recognise(service: str, sku: str, rules: Sequence[SkuRule]) -> SkuMeaning | None:
    """What the line of `service` (name or id) with the text `sku` charges for; None: no known model usage.

    A user's rule on a service that is nobody's we know gives provider None.
    """
    provider = provider_of(service)
    for rule in rules:
        found = re.search(rule.match, sku)
        if found:
            model = found.groupdict().get("model") or rule.model
            return SkuMeaning(rule.provider or provider, model, rule.usage, rule.price_class)
    return _bedrock(sku) if provider == "aws.bedrock" else _worded(provider, sku)


def provider_of(service: str) -> str | None:
    """The provider (OpenTelemetry's name) behind a bill's service, by its name or id; None: none we know."""
    return next((name for pattern, name in _SERVICES if re.search(pattern, service, re.IGNORECASE)), None)


def normalised_model(name: str) -> str:
    """`name` without what bills leave out: publisher, region, date, revision and maturity. Idempotent.

    `us.anthropic.claude-sonnet-4-5-20250929-v1:0` is `claude-sonnet-4-5`, and
    `gemini-3-pro-preview` is `gemini-3-pro`.
    A bill's model and a log's meet under this name where they differ.
    """
    plain = name.lower().rpartition("/")[2]
    hosted = _PUBLISHER.match(plain)
    if hosted:  # Bedrock's way to write models: region, publisher, name, revision
        plain = re.sub(r"-v\d+(?::\d+)?$", "", plain[hosted.end() :])
    plain = re.sub(r"-(?:preview|exp)(?:-\d\d-(?:\d\d){1,2})?$|-latest$", "", plain)
    return re.sub(r"[-@](?:20\d\d-?[01]\d-?[0-3]\d|00\d)$", "", plain)


def _gemini(found: re.Match[str]) -> str:
    version, name, lite, image = found.group("version", "name", "lite", "image")
    if int(version.split(".")[0]) > 2:  # noqa: PLR2004 - from 3 on, logs write gemini-3-pro where bills write 3.0
        version = version.removesuffix(".0")
    return f"gemini-{version}-{name}{'-lite' if lite else ''}{'-image' if image else ''}"


def _claude(found: re.Match[str]) -> str:
    name = found["name"] or found["name_last"]
    version = (found["version"] or found["version_first"]).replace(".", "-")
    # Up to 3.7 the version stands before the name, in Anthropic's own names too.
    return f"claude-{version}-{name}" if version.startswith("3") else f"claude-{name}-{version}"


# A family: where the model stands in the text, and how logs write it.
_GEMINI = re.compile(
    r"\bgemini[ -](?P<version>\d(?:\.\d)?)[ -](?P<name>flash|nano|pro|ultra)(?P<lite>[ -]lite)?"
    r"(?P<image>[ -]image(?! input))?\b"
)
_CLAUDE = re.compile(
    rf"\bclaude[ -](?:(?P<name>{_CLAUDE_NAMES})[ -](?P<version>\d(?:[.-]\d)?)\b"
    rf"|(?P<version_first>\d(?:[.-]\d)?)[ -](?P<name_last>{_CLAUDE_NAMES})\b)(?:[ -]v\d)?(?:[-@]20\d{{6}})?"
)
_GPT = re.compile(r"\b(?P<model>(?:gpt-\d[\w.]*|o\d)(?:-[a-z]+)*)(?:-20\d\d-\d\d-\d\d)?(?=[ ,:]|$)")
_IMAGEN = re.compile(r"\bimagen (?P<version>\d)(?P<kind> fast| ultra)? generation(?: \(output\))?$")
_FAMILIES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_GEMINI, _gemini),
    (_CLAUDE, _claude),
    (_GPT, lambda found: found["model"]),
)


def _worded(provider: str | None, sku: str) -> SkuMeaning | None:
    """A SKU that names model and usage in words, in whatever order."""
    text = " ".join(sku.lower().replace("_", " ").split())
    imagen = _IMAGEN.search(text)
    if imagen:
        model = f"imagen-{imagen['version']}.0{(imagen['kind'] or '').replace(' ', '-')}-generate"
        return SkuMeaning(provider or "gcp.vertex_ai", model, "image", None)
    for pattern, name in _FAMILIES:
        found = pattern.search(text)
        if found:
            said = _said(text[: found.start()] + " " + text[found.end() :])
            return _meaning(provider or _family_provider(text), name(found), said, image_model=_is_image(found))
    return None


def _is_image(found: re.Match[str]) -> bool:
    return bool(found.groupdict().get("image"))


def _family_provider(text: str) -> str | None:
    """Whose bill writes like this, where the service does not say."""
    if "gemini" not in text:
        return None
    return "gcp.gemini" if "token count" in text else "gcp.vertex_ai"


def _said(rest: str) -> frozenset[str] | None:
    """What the words around the model say; None if one of them is not in the vocabulary."""
    rest = re.sub(r"non[ -]thinking", "nonthinking", rest)
    words = re.findall(r"[<>]=? ?\w+|\w+", rest)
    meanings = [_WORDS.get(word.replace(" ", "")) for word in words]
    if None in meanings:
        return None
    return frozenset(meaning for meaning in meanings if meaning)


def _meaning(
    provider: str | None, model: str, said: frozenset[str] | None, *, image_model: bool = False
) -> SkuMeaning | None:
    kind = None if said is None else _usage_kind(said, image_model=image_model)
    if said is None or kind is None:
        return None
    if kind == "image" and model.startswith("gemini") and not model.endswith("-image"):
        model += "-image"
    price_class = "+".join(known for known in _CLASSES if known in said) or None
    return SkuMeaning(provider, model, kind, price_class)


def _usage_kind(said: frozenset[str], *, image_model: bool) -> str | None:
    """The usage kind; the cache is asked about first, because cached input says "input" as well."""
    if "cache" in said:
        return _cached_kind(said)
    if len(said & {"input", "output"}) != 1:
        return None
    if "audio" in said:
        return "audio_input" if "input" in said else "audio_output"
    if "input" in said:  # images and videos are read at the price of text, and logs count them with it
        return "input"
    if "thinking" in said:
        return "thinking"
    return "image" if "image" in said or (image_model and "text" not in said) else "output"


def _cached_kind(said: frozenset[str]) -> str | None:
    if "output" in said:
        return None
    if "storage" in said:
        return "cache_storage"  # kept per hour, not per call: no completion has a share in it
    if "write" in said:
        return "cache_write_1h" if "1h" in said else "cache_write"
    return "cached_audio_input" if "audio" in said else "cached_input"


# Source: AWS, "Understanding your CUR data for Bedrock": REGION-MODEL-KIND, with the tier behind it.
_BEDROCK = re.compile(
    r"^(?:[A-Z]{2,4}\d?-)?(?P<model>[A-Za-z][\w.-]*?)-(?:mantle-)?"
    r"(?P<kind>cache-read-input-token-count|cache-write-input-token-count|input-tokens|output-tokens)"
    r"(?P<tier>[-\w]*)$"
)


def _bedrock(sku: str) -> SkuMeaning | None:
    """A usage type of Amazon Bedrock, or else a SKU in words."""
    found = _BEDROCK.search(sku)
    if found is None:
        return _worded("aws.bedrock", sku)
    rest = f"{found['kind']} {found['tier']}".lower().replace("cross-region-global", "global ")
    said = _said(rest.replace("-", " "))
    if said is not None and "cross-region-global" in found["tier"]:
        said |= {"global"}
    return _meaning("aws.bedrock", _bedrock_model(found["model"]), said)


def _bedrock_model(name: str) -> str:
    """`Claude4.6Sonnet` as `claude-sonnet-4-6`, `NovaLite` as `nova-lite`: what `normalised_model` gives."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z\d])|(?<=\d)(?=[A-Z][a-z])", " ", name).lower()
    claude = _CLAUDE.search(spaced)
    if claude:
        return _claude(claude)
    if spaced.startswith("nova"):
        return spaced.replace(".0", "").replace(" ", "-")
    return name.lower()


_UNIT = re.compile(r"^(?P<number>[\d,]*)\s*(?P<scale>k|m|thousand|million)?\s*(?P<noun>[a-z]*)$")
_SCALES: Mapping[str | None, int] = {
    None: 1,
    "k": 1_000,
    "thousand": 1_000,
    "m": 1_000_000,
    "million": 1_000_000,
}
_TOKENS = frozenset({"token", "tokens"})
_IMAGES = frozenset({"image", "images"})
_COUNTS = frozenset({"count", "counts", "unit", "units", ""})


def usage_factor(unit: str, pricing_unit: str | None, usage_kind: str | None = None) -> tuple[int, int] | None:
    """(n, d) so that an amount in `unit` x n / d is tokens (for the kind image: images); None: another thing.

    A plain count is what its pricing unit counts, if that says. Where `unit` is empty the amount is in the
    pricing unit. Spellings: `count`, `Tokens`, `1000 Tokens`, `1K tokens`, `1M tokens`, `1,000,000 count`.
    """
    stated = unit.strip() or (pricing_unit or "").strip()
    parsed = _parsed_unit(stated) if stated else None
    if parsed is None:
        return None
    factor, noun = parsed
    if noun in _COUNTS:
        noun = (_parsed_unit(pricing_unit or "") or (1, "other"))[1]
    wanted = _IMAGES if usage_kind == "image" else _TOKENS if usage_kind else _TOKENS | _IMAGES
    return (factor, 1) if noun in wanted or noun in _COUNTS else None


def _parsed_unit(text: str) -> tuple[int, str] | None:
    found = _UNIT.match(text.strip().lower())
    if found is None:
        return None
    number = found["number"].replace(",", "")
    return (int(number) if number else 1) * _SCALES[found["scale"]], found["noun"]
