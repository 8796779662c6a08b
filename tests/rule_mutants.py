"""The rules, broken on purpose: each mutant differs from the committed rules in one threshold or one clause.

The committed YAML and the values come in; mutants go out, each with the alerts that it touches. What an alert is
labelled with and what it says stay as committed, so that only its behaviour can give a mutant away.
"""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rules.build import render
from rules.values import VALUES_YAML, Values, seconds

RULES = Path(__file__).parents[1] / "rules"
Rule = dict[str, Any]
Path_ = tuple[str | int, ...]
# Not thresholds: what Prometheus is told, and what has no figure.
_NO_THRESHOLD = frozenset(
    {"labels", "runbooks", "grafana", "prometheus", "overrides", "EUR"}
)  # EUR: the cases are in USD
_OTHER_WINDOW = {"1d": "7d", "7d": "30d"}
_NO_MATTER = {("OrphanedBudgetMissing", "budget_per_30d")}  # whether there is one, not how much
_FACTORS = (0.9, 1.1)  # of a number: the cases lie nearer to the threshold than this
_STRETCHES = (0.5, 2.0)  # of a time
_JOINT = re.compile(r"^ +(?:and|unless|or)\b(?: on \([\w, ]*\))?\s", re.MULTILINE)
_COMPARISON = re.compile(r"(?<=\s)(>=|>|<|==)(?=\s)")
_TURNED = {">": "<", "<": ">", ">=": "<", "==": "!="}


@dataclass(frozen=True, slots=True)
class Mutant:
    """Rules with one thing wrong, and the alert whose tests must say so."""

    name: str
    alert: str
    recording: tuple[Rule, ...]
    alerts: tuple[Rule, ...]

    def write(self, directory: Path) -> None:
        """recording.yaml and alerts.yaml into `directory`, with no more than the alert needs."""
        groups = {"recording.yaml": ("orphaned-inference-recording", needed(self.alerts, self.recording))}
        groups["alerts.yaml"] = ("orphaned-inference", list(self.alerts))
        for file, (name, rules) in groups.items():
            text = yaml.safe_dump({"groups": [{"name": name, "interval": "1m", "rules": rules}]}, sort_keys=False)
            (directory / file).write_text(text, encoding="utf-8")


def loaded(text: str) -> list[Rule]:
    """Every rule of one rule file."""
    return [rule for group in yaml.load(text, Loader=yaml.CSafeLoader)["groups"] for rule in group["rules"]]


def committed() -> tuple[list[Rule], list[Rule]]:
    """The recording rules and the alerts, as committed."""
    recording, alerts = (loaded((RULES / file).read_text("utf-8")) for file in ("recording.yaml", "alerts.yaml"))
    return recording, alerts


def cases_of(alert: str) -> list[Path]:
    """The files of promtool tests of one alert: `<Alert>.yaml`, and `<Alert>-<steps>.yaml` in other steps of time."""
    return sorted({*RULES.glob(f"tests/{alert}.yaml"), *RULES.glob(f"tests/{alert}-*.yaml")})


def needed(alerts: tuple[Rule, ...] | list[Rule], recording: tuple[Rule, ...] | list[Rule]) -> list[Rule]:
    """The recording rules that these alerts read, directly or through others, in their order."""
    wanted: set[str] = set()
    texts = [rule["expr"] for rule in alerts]
    while texts:
        text = texts.pop()
        for rule in recording:
            if rule["record"] in text and rule["record"] not in wanted:
                wanted.add(rule["record"])
                texts += [one["expr"] for one in recording if one["record"] == rule["record"]]
    return [rule for rule in recording if rule["record"] in wanted]


def whole(alert: str) -> Mutant:
    """The committed rules of one alert, with nothing wrong."""
    recording, alerts = committed()
    return Mutant("nothing", alert, tuple(recording), tuple(_named(alert, alerts)))


def mutants(alert: str) -> Iterator[Mutant]:
    """Every mutant of one alert."""
    yield from _other_thresholds(alert)
    yield from _other_clauses(alert)


def _named(alert: str, rules: list[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule["alert"] == alert]


def _other_thresholds(alert: str) -> Iterator[Mutant]:
    """One leaf of values.yaml changed, where that changes what this alert does."""
    right = whole(alert)
    for name, section, recording, alerts in _rendered_otherwise():
        rules = _named(alert, list(alerts))
        behaving = tuple({**old, **_behaviour(new)} for old, new in zip(right.alerts, rules, strict=True))
        mutant = Mutant(name, alert, recording, behaving)
        if _does(mutant) != _does(right) and (alert, section) not in _NO_MATTER:
            yield mutant


@cache
def _rendered_otherwise() -> tuple[tuple[str, str, tuple[Rule, ...], tuple[Rule, ...]], ...]:
    """(name, section, recording rules, alerts) for each leaf of values.yaml changed, each way: drawn once a process."""
    values = yaml.safe_load(VALUES_YAML.read_text("utf-8"))
    drawn = []
    for path, leaf in _leaves(values, ()):
        for name, other in _others(path[-1], leaf):
            changed = copy.deepcopy(values)
            _put(changed, path, other)
            recording, alerts = map(loaded, render(Values.model_validate(changed)).values())
            drawn.append((f"{'.'.join(map(str, path))}: {name}", str(path[0]), tuple(recording), tuple(alerts)))
    return tuple(drawn)


def _behaviour(rule: Rule) -> Rule:
    return {key: rule[key] for key in ("expr", "for") if key in rule}


def _does(mutant: Mutant) -> list[Rule]:
    return [*map(_behaviour, mutant.alerts), *needed(mutant.alerts, mutant.recording)]


def _leaves(node: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            if key not in _NO_THRESHOLD:
                yield from _leaves(child, (*path, key))
    else:
        yield path, node


def _others(key: str | int, leaf: Any) -> Iterator[tuple[str, Any]]:
    if key == "window":
        yield f"{leaf} is {_OTHER_WINDOW[leaf]}", _OTHER_WINDOW[leaf]
    elif isinstance(leaf, str) and leaf[-1].isalpha():
        for stretch in _STRETCHES:
            yield f"{leaf} x {stretch:g}", f"{round(seconds(leaf) * stretch)}s"
    else:
        for factor in _FACTORS:
            other = float(leaf) * factor
            yield f"{leaf} x {factor:g}", str(other) if isinstance(leaf, str) else other


def _put(node: Any, path: Path_, value: Any) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def _other_clauses(alert: str) -> Iterator[Mutant]:
    """One clause taken away, or one comparison turned round, in one of the rules that the alert needs."""
    right = whole(alert)
    for number, rule in enumerate(right.alerts):
        for name, expr in (*_shorter(rule["expr"]), *_turned(rule["expr"])):
            alerts = _with(right.alerts, number, expr)
            yield Mutant(f"rule {number}: {name}", alert, right.recording, alerts)
    recording = tuple(needed(right.alerts, right.recording))
    for number, rule in enumerate(recording):
        for name, expr in (*_shorter(rule["expr"]), *_turned(rule["expr"])):
            yield Mutant(f"{rule['record']}: {name}", alert, _with(recording, number, expr), right.alerts)


def _with(rules: tuple[Rule, ...], number: int, expr: str) -> tuple[Rule, ...]:
    """`rules` with another expression in one of them."""
    return (*rules[:number], {**rules[number], "expr": expr}, *rules[number + 1 :])


def _shorter(expr: str) -> Iterator[tuple[str, str]]:
    """`expr` without each of its clauses but the first."""
    for joint in _JOINT.finditer(expr):
        rest = expr[_end_of_clause(expr, joint.end()) :]
        yield f"without the clause at {joint.start()}, {joint[0].strip()}", expr[: joint.start()] + rest


def _end_of_clause(expr: str, start: int) -> int:
    """Where the clause ends that begins at `start`: at the next one beside it, or with the bracket around both."""
    depth = 0
    for place in range(start, len(expr)):
        depth += {"(": 1, ")": -1}.get(expr[place], 0)
        beside = depth == 0 and place > start and expr[place - 1] == "\n" and _JOINT.match(expr, place)
        if depth < 0 or beside:
            return place
    return len(expr)


def _turned(expr: str) -> Iterator[tuple[str, str]]:
    """`expr` with each of its comparisons turned round."""
    for found in _COMPARISON.finditer(expr):
        turned = expr[: found.start()] + _TURNED[found[0]] + expr[found.end() :]
        yield f"{found[0]} at {found.start()} turned round", turned
