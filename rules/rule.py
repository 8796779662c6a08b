"""What a rule of Prometheus is, and a group of them as YAML text: a comment that says why above each.

An alert says its amount, unit and period, and leads to a runbook. This room knows no thresholds.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import yaml

WIDTH = 116
MONEY = '{{ $value | printf "%.2f" }} {{ $labels.currency }}'
PERCENT = "{{ $value | humanizePercentage }}"
AGE = "{{ $value | humanizeDuration }}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its keys as Prometheus names them, and why it is as it is."""

    keys: Mapping[str, Any]
    why: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: when, how bad, what is told.

    `hold` is Prometheus' `for`; `labels` come beside those of `expr`; `board` is the end of its dashboard's uid.
    """

    name: str
    expr: str
    _: KW_ONLY
    severity: Literal["critical", "warning", "info"]
    summary: str
    description: str
    why: str
    board: Literal["", "-where", "-trust", "-health"] = ""
    hold: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def rule(self, *, labels: Mapping[str, str], runbooks: str, grafana: str) -> Rule:
        """The rule, with the labels that all alerts get, its runbook below `runbooks`, its dashboard in `grafana`."""
        keys: dict[str, Any] = {"alert": self.name, "expr": self.expr, **({"for": self.hold} if self.hold else {})}
        keys["labels"] = {"severity": self.severity, **self.labels, **labels}
        keys["annotations"] = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"{runbooks}/{self.name}.md",
            **({"dashboard_url": f"{grafana}/d/orphaned-inference{self.board}"} if grafana else {}),
        }
        return Rule(keys, self.why)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def label(name: str) -> str:
    """The template for the value of one of an alert's labels."""
    return f"{{{{ $labels.{name} }}}}"


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
