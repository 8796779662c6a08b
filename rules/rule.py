"""One rule of Prometheus, and a group of them as YAML text.

Rules come in, text goes out: block scalars for PromQL, a comment that says why above each rule. This room knows
nothing of thresholds.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

WIDTH = 116


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its keys as Prometheus names them, and why it is as it is."""

    keys: Mapping[str, Any]
    why: str


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def recorded(name: str, expr: str, why: str, *, labels: Mapping[str, str] | None = None) -> Rule:
    """A recording rule."""
    return Rule({"record": name, "expr": expr, **({"labels": dict(labels)} if labels else {})}, why)


def group(name: str, interval: str, rules: Sequence[Rule], *, heading: str) -> str:
    """A rule file with one group, headed by a comment."""
    parts = [_comment(heading), f"groups:\n  - name: {name}\n    interval: {interval}\n    rules:\n"]
    for rule in rules:
        dumped = yaml.dump([dict(rule.keys)], Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
        parts.append(textwrap.indent(_comment(rule.why) + dumped, " " * 6))
    return "".join(parts)


def _comment(text: str) -> str:
    return textwrap.indent(text, "# ") + "\n"
