"""What a whole answer says that it used: bytes come in, tokens and images go out. Of a stream the last word counts.

Keys are Google's, OpenAI's, Anthropic's and Bedrock's (inputs are whole: what was cached is in them). What is not said
stays None; nothing of the answer's text is kept.
"""

import re
from dataclasses import dataclass

_INPUT = (("promptTokenCount",), ("prompt_tokens",), ("inputTokens",))
_OUTPUT = (
    ("candidatesTokenCount", "thoughtsTokenCount"),
    ("completion_tokens",),
    ("outputTokens",),
    ("output_tokens",),
)
_ANTHROPIC = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_IMAGE = re.compile(rb'"(?:bytesBase64Encoded|b64_json)"\s*:')


@dataclass(frozen=True, slots=True)
class Used:
    """What one call used."""

    input_tokens: int | None
    output_tokens: int | None
    images: int | None


def used(answer: bytes) -> Used:
    """What `answer` says of its usage."""
    images = len(_IMAGE.findall(answer)) or None
    told = next((found for keys in (*_INPUT, _ANTHROPIC) if (found := _sum(answer, keys)) is not None), None)
    made = next((found for keys in _OUTPUT if (found := _sum(answer, keys)) is not None), None)
    return Used(told, made, images)


def _sum(answer: bytes, keys: tuple[str, ...]) -> int | None:
    """The last values of these keys added up; None without the first of them."""
    found = [re.findall(rb'"%s"\s*:\s*(\d{1,12})' % key.encode(), answer) for key in keys]
    return sum(int(values[-1]) for values in found if values) if found[0] else None
