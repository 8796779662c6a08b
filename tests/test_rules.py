"""The rules: promtool accepts them, they fire when they should, and are silent when they should be."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.exporters.catalogue import series_names
from tests.promql import metric_names
from tests.tools import need

RULES = Path(__file__).parents[1] / "rules"
TESTS = sorted((RULES / "tests").glob("*.yaml"))


def rules(file: str) -> list[dict[str, Any]]:
    """Every rule of one file."""
    loaded = yaml.safe_load((RULES / file).read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yaml")}


def promtool(*arguments: str | Path) -> None:
    """Runs promtool, and fails with its own words."""
    done = subprocess.run([need("promtool", "prometheus"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    """Both files are rules that Prometheus loads."""
    promtool("check", "rules", RULES / "recording.yaml", RULES / "alerts.yaml")


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_rules_fire_and_are_silent(file: Path) -> None:
    """Every unit test of the rules passes."""
    promtool("test", "rules", file)


def test_a_wrong_expectation_fails(tmp_path: Path) -> None:
    """The unit tests bite: told to expect no alert where one fires, promtool fails."""
    text = (RULES / "tests" / "SourceDown.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    text = text.replace("../", f"{RULES}/")
    broken.write_text(text.replace('values: "0x10"', 'values: "1x10"'), encoding="utf-8")
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", broken)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_proved_both_ways(alert: str) -> None:
    """Each alert has a case where it fires and a case, named so, where it is silent."""
    cases = yaml.safe_load((RULES / "tests" / f"{alert}.yaml").read_text(encoding="utf-8"))["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"] if check["alertname"] == alert]
    assert any(check["exp_alerts"] for check in checks)
    assert any(case["name"].startswith("silent") for case in cases)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_to_do(alert: str) -> None:
    """Each alert has a severity, a fixed summary, a description, and a runbook with its three parts."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    summary = rule["annotations"]["summary"]
    assert summary.endswith(".")
    assert "{{" not in summary
    assert rule["annotations"]["description"]
    assert rule["annotations"]["runbook_url"] == f"rules/runbooks/{alert}.md"
    runbook = (RULES / "runbooks" / f"{alert}.md").read_text(encoding="utf-8")
    assert re.findall(r"^#+ (.*)", runbook, re.MULTILINE) == [
        alert,
        "What it means",
        "How to look closer",
        "What to change",
    ]


def test_no_runbook_without_its_alert() -> None:
    """A runbook whose alert is gone would mislead."""
    assert {file.stem for file in (RULES / "runbooks").glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("rule", rules("recording.yaml") + rules("alerts.yaml"), ids=str)
def test_rules_name_only_metrics_that_exist(rule: dict[str, Any]) -> None:
    """Every metric in a rule is in the catalogue, is another rule's, or is Prometheus' own `up`."""
    recorded = {one["record"] for one in rules("recording.yaml")}
    assert metric_names(rule["expr"]) <= series_names() | recorded | {"up"}
