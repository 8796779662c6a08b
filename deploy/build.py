"""Writes what Kustomize and Compose cannot find by themselves: `make manifests`.

Out of rules/*.yaml, the files that have `groups`: kubernetes/base/prometheus-rule.yaml, for Prometheus Operator. Out of
the names of the dashboards: dashboards/kustomization.yaml, a ConfigMap each (Kustomize takes files only from its own
folder and below, so their generator stands beside them), and grafana/dashboards.yaml, a mount each. With `--check`:
writes nothing, exit 1 where what stands there is not what would be written.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
NAME = "orphaned-inference"
WRITTEN = "# Written by `make manifests` out of {sources}: change those.\n"
WIDTH = 120


class Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, lists indented: as a person would write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Never without an indent (the signature is the parent's)."""
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def prometheus_rule(rules: Path) -> dict[str, Any]:
    """The custom resource with every group of every rules file; a values file has none."""
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(rules.glob("*.yaml"))]
    groups = [group for one in loaded if isinstance(one, dict) for group in one.get("groups", [])]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": NAME},
        "spec": {"groups": groups},
    }


def dashboards(folder: Path) -> dict[str, Any]:
    """The Kustomization that makes a ConfigMap of each dashboard, with the label that Grafana's sidecar looks for."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "generatorOptions": {
            "disableNameSuffixHash": True,  # a dashboard that has changed takes the place of the old one
            "labels": {"grafana_dashboard": "1"},
            "annotations": {"grafana_folder": "Orphaned inference"},
        },
        "configMapGenerator": [
            {"name": _config_map(path), "files": [str(path.relative_to(folder))]} for path in found(folder)
        ],
    }


def mounts(folder: Path) -> dict[str, Any]:
    """The part of compose.yaml that lets Grafana read each dashboard, and nothing else of their folder."""
    volumes = [f"../../dashboards/{path.relative_to(folder)}:/dashboards/{path.name}:ro" for path in found(folder)]
    return {"services": {"grafana": {"volumes": volumes}}}


def found(folder: Path) -> list[Path]:
    """The dashboards: JSON in the folder, or in grafana/ below it. The viewer's JSON beside them is none."""
    return sorted([*folder.glob("*.json"), *folder.glob("grafana/*.json")])


def _config_map(path: Path) -> str:
    stem = path.stem.replace("_", "-").lower()
    return f"dashboard-{stem}"


def written(root: Path) -> dict[Path, str]:
    """Path -> what has to stand there, for the rules and dashboards below `root`."""
    rules, boards = root / "rules", root / "dashboards"
    return {
        root / "deploy/kubernetes/base/prometheus-rule.yaml": _document(prometheus_rule(rules), "rules/*.yaml"),
        root / "deploy/grafana/dashboards.yaml": _document(mounts(boards), "the dashboards"),
        boards / "kustomization.yaml": _document(dashboards(boards), "the dashboards"),
    }


def _document(told: dict[str, Any], sources: str) -> str:
    return WRITTEN.format(sources=sources) + yaml.dump(told, Dumper=Dumper, sort_keys=False, width=WIDTH)


def stale(root: Path) -> list[Path]:
    """Those that are missing, or say something else."""
    return [
        path for path, text in written(root).items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """The exit code."""
    old = stale(ROOT)
    for path in old:
        print(path.relative_to(ROOT))
        if arguments != ["--check"]:
            path.write_text(written(ROOT)[path], encoding="utf-8")
    return 1 if old and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
