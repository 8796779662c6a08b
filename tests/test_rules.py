"""The rules: rendered from the values, accepted by promtool, firing when they should and silent when they should be."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from collector.exporters.catalogue import series_names
from rules.build import render, write
from rules.values import VALUES_YAML, load
from tests.promql import metric_names
from tests.rule_mutants import RULES, cases_of, committed
from tests.tools import BRIEF, need

TESTS = sorted((RULES / "tests").glob("*.yaml"))
RECORDING, ALERTS = committed()
NAMES = list(dict.fromkeys(rule["alert"] for rule in ALERTS))
TEXT = VALUES_YAML.read_text(encoding="utf-8")
# A length of time: in words, in a template that writes one, or the settled days.
PERIOD = re.compile(r"(last|for|within|ago|over) .*(second|minute|hour|day)|humanizeDuration")
UNIT = re.compile(r"\$labels\.currency|humanizePercentage|humanizeDuration|minutes|hours?|days?")


def promtool(*arguments: str | Path) -> None:
    """Runs promtool, and fails with its own words."""
    command = [need("promtool", "prometheus"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=BRIEF)
    assert done.returncode == 0, done.stdout + done.stderr


def cases(alert: str) -> list[dict[str, Any]]:
    """Every case of an alert's promtool tests."""
    return [case for file in cases_of(alert) for case in yaml.safe_load(file.read_text("utf-8"))["tests"]]


def test_rendered_is_committed() -> None:
    """The committed rules are what the values say; if not: make rules."""
    for name, text in render(load(TEXT)).items():
        assert text == (RULES / name).read_text(encoding="utf-8"), name


def test_promtool_accepts_the_rules() -> None:
    """Both files are rules that Prometheus loads."""
    promtool("check", "rules", RULES / "recording.yaml", RULES / "alerts.yaml")


def test_amtool_accepts_the_example() -> None:
    """The example for Alertmanager is one that it loads."""
    done = subprocess.run(
        [need("amtool", "prometheus-alertmanager"), "check-config", RULES / "alertmanager.example.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_rules_fire_and_are_silent(file: Path) -> None:
    """Every unit test of the rules passes."""
    promtool("test", "rules", file)


@pytest.mark.parametrize("alert", NAMES)
def test_each_alert_is_proved_both_ways(alert: str) -> None:
    """Each rule of an alert fires in some case, and there is a case, named so, in which it is silent throughout."""
    checks = [check for case in cases(alert) for check in case["alert_rule_test"]]
    fired = [one["exp_labels"] for check in checks for one in check["exp_alerts"]]
    for rule in ALERTS:
        if rule["alert"] == alert:
            assert any(rule["labels"].items() <= labels.items() for labels in fired), rule["labels"]
    silent = [case for case in cases(alert) if case["name"].startswith("silent")]
    assert any(not check["exp_alerts"] for case in silent for check in case["alert_rule_test"])
    assert {check["alertname"] for check in checks} == {alert}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: "-".join([rule["alert"], *rule["labels"].values()]))
def test_each_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """Each has a severity, a fixed summary, a description with a unit and a period, and a runbook with its parts."""
    assert rule["alert"].startswith("Orphaned")
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
    assert summary.endswith(".")
    assert "{{" not in summary
    assert PERIOD.search(description), description
    assert UNIT.search(description), description
    assert rule["annotations"]["runbook_url"] == f"rules/runbooks/{rule['alert']}.md"
    runbook = (RULES / "runbooks" / f"{rule['alert']}.md").read_text(encoding="utf-8")
    assert re.findall(r"^#+ (.*)", runbook, re.MULTILINE) == [
        rule["alert"], "What it means", "How to look closer", "What to change", "When to ignore it",
    ]  # fmt: skip
    assert "orphaned explain" in runbook
    linked = re.findall(r"\]\(([^)]+)\)", runbook)
    assert all((RULES / "runbooks" / link).is_file() for link in linked), linked


def test_no_runbook_and_no_case_without_its_alert() -> None:
    """A runbook or a test whose alert is gone would mislead."""
    assert {file.stem for file in (RULES / "runbooks").glob("*.md")} == set(NAMES)
    assert {file for name in NAMES for file in cases_of(name)} | set(cases_of("recording")) == set(TESTS)


@pytest.mark.parametrize("file", sorted((RULES / "runbooks").glob("*.md")), ids=lambda path: path.stem)
def test_runbooks_name_only_metrics_that_exist(file: Path) -> None:
    """Whoever copies a name out of a runbook at night finds it in Prometheus."""
    known = series_names() | {rule["record"] for rule in RECORDING}
    named = set(re.findall(r"[a-z0-9_]*:?orphaned_inference_[a-z0-9_]+(?::[a-z0-9]+)?", file.read_text("utf-8")))
    assert {name for name in named if name not in known and f"{name}_bucket" not in known} == set()


def test_the_queries_in_runbooks_are_promql() -> None:
    """Each query that a runbook gives parses, and asks for metrics that exist."""
    known = series_names() | {rule["record"] for rule in RECORDING}
    texts = [file.read_text("utf-8") for file in sorted((RULES / "runbooks").glob("*.md"))]
    queries = [query for text in texts for query in re.findall(r"`((?:topk|sum|histogram_quantile)\b[^`]*)`", text)]
    assert len(queries) >= 5
    for query in queries:
        assert metric_names(query) <= known, query


@pytest.mark.parametrize("rule", RECORDING + ALERTS, ids=str)
def test_rules_name_only_metrics_that_exist(rule: dict[str, Any]) -> None:
    """Every metric in a rule is in the catalogue, is another rule's, or is Prometheus' own `up`."""
    recorded = {one["record"] for one in RECORDING}
    assert metric_names(rule["expr"]) <= series_names() | recorded | {"up"}


def test_every_value_is_explained() -> None:
    """Each threshold in values.yaml has a comment beside it, or above its section."""
    for line in TEXT.splitlines():
        if re.match(r"  \w+: ", line) and not line.startswith(("  USD", "  EUR")):
            assert "# " in line, line


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("share_high:", "share_hihg:"),
        ("  for: 2m ", "  for: soon "),
        ("window: 7d            #", "window: 8d            #"),
        ("within: 10s", "within: 11s"),
        ('USD: "300"', 'USD: "0"'),
        ('USD: "300"', 'usd: "300"'),
        ("{long: 1h, short: 15m,", "{long: 1h, short: 15m, middle: 30m,"),
        ("{long: 1h, short: 15m,", "{long: 1h, short: 1h,"),
        ("share: 0.05           # 5 % either", "share: 1.5           # 5 % either"),
    ],
)
def test_wrong_values_are_refused(right: str, wrong: str) -> None:
    """A misspelt key, a time that is none, a window or a bound that nobody has: refused, not rendered."""
    assert right in TEXT
    with pytest.raises((ValidationError, yaml.YAMLError)):
        load(TEXT.replace(right, wrong))


def test_other_values_make_rules_that_load(tmp_path: Path) -> None:
    """Overrides, labels of one's own, another base for runbooks and other windows come out as rules that load."""
    changes = {
        "labels: {}": "labels: {team: ml}",
        "runbooks: rules/runbooks": "runbooks: https://runbooks.example/orphaned",
        'grafana: ""': "grafana: https://grafana.example",
        "overrides: {}         # by provider": "overrides: {openai: 35d, aws.bedrock: 10d}   # by provider",
        "{long: 1h, short: 15m, multiple: 14.4}": "{long: 3h, short: 20m, multiple: 8}",
    }
    text = TEXT
    for right, other in changes.items():
        assert right in text
        text = text.replace(right, other)
    write(load(text), tmp_path)
    promtool("check", "rules", tmp_path / "recording.yaml", tmp_path / "alerts.yaml")
    rendered = (tmp_path / "alerts.yaml").read_text("utf-8")
    assert r'{provider!~"openai|aws\\.bedrock"} > 432000' in rendered
    assert '{provider="openai"} > 3024000' in rendered
    assert "runbook_url: https://runbooks.example/orphaned/OrphanedBillLate.md" in rendered
    assert rendered.count("dashboard_url: https://grafana.example/d/orphaned-inference-health\n") == 5
    assert rendered.count("dashboard_url: ") == rendered.count("alert: Orphaned")
    assert rendered.count("team: ml") == rendered.count("alert: Orphaned")
    assert "in the last 3 hours: more than 8 times" in " ".join(rendered.split())


def test_the_page_lists_every_alert() -> None:
    """docs/alerts.md has a row for each alert: its runbook, its severity, and after how long it is told."""
    page = (RULES.parent / "docs" / "alerts.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| \[(\w+)\]\(\.\./rules/runbooks/(\w+)\.md\) \| (\w+) \|.*\| ([\w ]+) \|$", page, re.MULTILINE
    )
    assert all(name == runbook for name, runbook, _, _ in rows)
    shown = {name: (severity, after) for name, _, severity, after in rows}
    assert len(rows) == len(NAMES)
    for rule in reversed(ALERTS):  # of several rules of one name, the first is the one in the table
        after = re.sub(
            r"(\d+)([mh])$", lambda found: f"{found[1]} {'min' if found[2] == 'm' else 'h'}", rule.get("for", "at once")
        )
        if "watermark" not in rule["labels"]:
            assert shown[rule["alert"]] == (rule["labels"]["severity"], after)
