"""Renders rules/values.yaml into recording.yaml and alerts.yaml.

Both are committed, so that nobody needs this script to use them; a test says when they differ from what it
renders. Use: make rules, or python -m rules.build
"""

import sys
from pathlib import Path

from rules.health import health
from rules.money import money
from rules.recording import recording
from rules.rule import Rule, group
from rules.values import VALUES_YAML, Values, load

HERE = Path(__file__).parent
_RENDERED = "Rendered by `make rules` from rules/values.yaml: change thresholds there, not here."


def alerts(values: Values) -> list[Rule]:
    """Every alert, with what all of them have in common."""
    return [
        alert.rule(labels=values.labels, runbooks=values.runbooks, grafana=values.grafana)
        for alert in (*money(values), *health(values))
    ]


def render(values: Values) -> dict[str, str]:
    """File name -> text of both rule files."""
    interval = values.prometheus.evaluation
    return {
        "recording.yaml": group(
            "orphaned-inference-recording",
            interval,
            recording(values),
            heading=f"{_RENDERED}\nWhat dashboards and alerts share.",
        ),
        "alerts.yaml": group(
            "orphaned-inference",
            interval,
            alerts(values),
            heading=f"{_RENDERED}\nEach alert names what a person can do; docs/alerts.md has the whole list.",
        ),
    }


def write(values: Values, directory: Path) -> None:
    """Both files into `directory`."""
    for name, text in render(values).items():
        (directory / name).write_text(text, encoding="utf-8")


def main() -> int:
    """Writes both files beside this one and returns the exit code."""
    write(load(VALUES_YAML.read_text(encoding="utf-8")), HERE)
    print(f"wrote {HERE}/recording.yaml and alerts.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
