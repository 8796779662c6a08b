"""The README: what it shows works, and what it lists is all there is."""

import re
from pathlib import Path

import pytest
import yaml

from collector import config
from collector.config.fields import Fields
from collector.config.model import FileSection
from collector.exporters.catalogue import FAMILIES

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = {language: re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) for language in ("yaml", "json")}


def test_the_config_shown_is_complete() -> None:
    """The first YAML of the README is a config that loads as it stands."""
    assert len(config.parse(BLOCKS["yaml"][0], Path("orphaned.yaml")).sources) == 4


def test_the_lists_shown_load() -> None:
    """So does the one with skus, policies and prices, beside any sources."""
    shown = config.parse(BLOCKS["yaml"][0] + BLOCKS["yaml"][1], Path("orphaned.yaml"))
    assert (len(shown.skus), len(shown.policies), len(shown.prices)) == (1, 1, 1)


def test_the_scrape_config_names_the_default_port() -> None:
    """Prometheus is pointed at where the daemon listens by default."""
    listen = config.parse(BLOCKS["yaml"][0], Path("orphaned.yaml")).http.listen
    scrape = yaml.safe_load(BLOCKS["yaml"][2])["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == [f"{listen.host}:{listen.port}"]


def test_every_metric_is_listed() -> None:
    """The table of metrics is the catalogue: names, types and labels, in its order."""
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| (.*) \|$", TEXT, re.MULTILINE)
    assert [row[:2] for row in rows] == [(family.name, family.kind) for family in FAMILIES]
    for (_, _, words), family in zip(rows, FAMILIES, strict=True):
        labels = re.findall(r"`([a-z_]+)`", words.split(":")[0]) if family.labels else []
        assert tuple(labels) == family.labels


def test_every_key_is_listed() -> None:
    """Every key of the config's sections, and every field of a completion log, is in the README."""
    keys = [
        f"{section}.{info.alias or name}"
        for section in ("ledger", "http", "correlation", "billing", "schedule")
        for name, info in type(FileSection.model_fields[section].default).model_fields.items()
    ]
    assert len(keys) > 7
    missing = [key for key in (*keys, *Fields.model_fields) if f"`{key}`" not in TEXT]
    assert not missing


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(target: str) -> None:
    """Every relative link names something that is there."""
    assert (ROOT / target).exists()
