"""The composition and the configs that it mounts: each judged by its own tool, and held to what it names."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.config import load
from tests.deploy.host import dashboards
from tests.lab.edge import free_ports
from tests.tools import need

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
LOADED = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = LOADED["services"]
BOARDS = yaml.safe_load((DEPLOY / "grafana" / "dashboards.yaml").read_text(encoding="utf-8"))["services"]["grafana"]
NGINX = DEPLOY / "nginx"
LOCATION = re.compile(r"^#     (.*?;)", re.MULTILINE)


def schema(path: Path) -> subprocess.CompletedProcess[str]:
    """What the Compose specification's schema says of a file."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_of_the_specification() -> None:
    """The schema has nothing against the composition, nor against the part that it takes from elsewhere."""
    for path in (COMPOSE, DEPLOY / "grafana" / "dashboards.yaml"):
        done = schema(path)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("read_only: true", "readonly: true"), ("cap_drop: [ALL]", "cap_drop: ALL"), ("ports:", "port:")],
)
def test_the_schema_bites(right: str, wrong: str, tmp_path: Path) -> None:
    """A key that is misspelt, or has a value of another kind, is told."""
    text = COMPOSE.read_text(encoding="utf-8")
    assert right in text
    broken = tmp_path / "compose.yaml"
    broken.write_text(text.replace(right, wrong), encoding="utf-8")
    assert schema(broken).returncode != 0


def test_docker_compose_resolves_it(tmp_path: Path) -> None:
    """Anchors, the part for Grafana and all paths come together; without the password it refuses.

    Debian's docker-compose is of the first generation: it does not know `name`, and needs no engine.
    """
    program = need("docker-compose", "docker-compose")
    here = tmp_path / "deploy"
    shutil.copytree(DEPLOY, here)
    text = COMPOSE.read_text(encoding="utf-8")
    (here / "compose.yaml").write_text(text.replace("name: orphaned-inference\n", "", 1), encoding="utf-8")
    command = [program, "-f", str(here / "compose.yaml"), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"GRAFANA_PASSWORD": "x"})
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)["services"]
    assert set(resolved) == set(SERVICES)
    boards = {f"/dashboards/{path.name}" for path in dashboards()}
    assert boards
    assert boards <= {volume.split(":")[1] for volume in resolved["grafana"]["volumes"]}
    refused = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert refused.returncode != 0
    assert "GRAFANA_PASSWORD" in refused.stderr


def bound() -> list[tuple[str, Path, str]]:
    """(service, file or folder of the repository, where it stands in the container), of every mount from here."""
    folders = [(name, DEPLOY, one) for name, service in SERVICES.items() for one in service.get("volumes", [])]
    folders += [("grafana", DEPLOY / "grafana", one) for one in BOARDS["volumes"]]
    parts = [(name, folder, one.split(":")) for name, folder, one in folders if isinstance(one, str) and one[0] == "."]
    return [(name, (folder / source).resolve(), target) for name, folder, (source, target, _) in parts]


def test_what_it_mounts_is_there() -> None:
    """Docker makes an empty folder of a file that is missing, and says nothing: so each must be there."""
    assert len(bound()) > 9
    assert not [path for _, path, _ in bound() if not path.exists()]


def test_every_image_has_a_version() -> None:
    """No image is whatever is newest on that day."""
    images = {service["image"] for service in SERVICES.values()}
    assert all(re.fullmatch(r"[a-z/.-]+:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?", image) for image in images), images


def test_nothing_is_open_to_the_network() -> None:
    """Ports are published on loopback only; every root is read-only, and no capability is kept but nginx's three."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in SERVICES.values())
    assert {name for name, service in SERVICES.items() if "cap_add" in service} == {"nginx"}


def test_one_writer() -> None:
    """Only one service has the ledger, and it is not made in several."""
    users = [name for name, service in SERVICES.items() if "ledger:/var/lib/orphaned" in service.get("volumes", [])]
    assert users == ["collector"]
    assert "deploy" not in SERVICES["collector"]


def test_the_collectors_config_loads() -> None:
    """It is a config, listens where the others look for it, and reads where their volumes are mounted."""
    config = load(DEPLOY / "collector" / "orphaned.yaml")
    assert (config.http.listen.host, config.http.listen.port) == ("0.0.0.0", 9747)  # noqa: S104 (in a container)
    targets = [
        one["target"] if isinstance(one, dict) else one.split(":")[1] for one in SERVICES["collector"]["volumes"]
    ]
    for path in ("/var/lib/orphaned/ledger.duckdb", "/var/log/nginx/orphaned.json*", "/var/log/backend/*.jsonl"):
        assert path in (DEPLOY / "collector" / "orphaned.yaml").read_text(encoding="utf-8")
        assert any(path.startswith(f"{target}/") for target in targets)


# Prometheus and Alertmanager ------------------------------------------------------------------------------------


def laid_out(room: Path, service: str) -> Path:
    """The folder /etc/SERVICE as the composition lays it out."""
    top = f"/etc/{service}/"
    for name, path, target in bound():
        if name == service and target.startswith(top):
            place = room / target.removeprefix(top)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    return room


def spoilt(path: Path, right: str, wrong: str) -> None:
    """Breaks a file."""
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")


def promtool(room: Path) -> subprocess.CompletedProcess[str]:
    """Its word on a folder /etc/prometheus."""
    command = [need("promtool", "prometheus"), "check", "config", str(room / "prometheus.yml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def amtool(room: Path) -> subprocess.CompletedProcess[str]:
    """Its word on a folder /etc/alertmanager."""
    command = [need("amtool", "prometheus-alertmanager"), "check-config", str(room / "alertmanager.yml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_promtool_accepts_the_config(tmp_path: Path) -> None:
    """Config and all three rule files, as they are mounted."""
    done = promtool(laid_out(tmp_path, "prometheus"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rule files found" in done.stdout


def test_amtool_accepts_the_config(tmp_path: Path) -> None:
    """Route, receiver and inhibition."""
    done = amtool(laid_out(tmp_path, "alertmanager"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("service", "judge", "file", "right", "wrong"),
    [
        ("prometheus", promtool, "prometheus.yml", "scrape_configs", "scrape_config"),
        ("prometheus", promtool, "rules/first-alert.yaml", "sum by (currency)", "sum by currency"),
        ("alertmanager", amtool, "alertmanager.yml", "receiver: pager", "receiver: pagre"),
    ],
)
def test_the_tools_bite(  # noqa: PLR0917 (pytest gives them by name)
    service: str,
    judge: Callable[[Path], subprocess.CompletedProcess[str]],
    file: str,
    right: str,
    wrong: str,
    tmp_path: Path,
) -> None:
    """A broken copy is refused."""
    spoilt(laid_out(tmp_path, service) / file, right, wrong)
    assert judge(tmp_path).returncode != 0


def test_every_name_is_a_service() -> None:
    """Who is asked by its name is a service of the composition, on a port that it listens on."""
    listening = {
        "collector": 9747, "prometheus": 9090, "alertmanager": 9093, "pager": 9748, "backend": 8000,
    }  # fmt: skip
    assert set(listening) <= set(SERVICES)
    files = [
        *DEPLOY.glob("prometheus/*.yml"), *DEPLOY.glob("alertmanager/*.yml"), NGINX / "gateway.conf",
        DEPLOY / "grafana/provisioning/datasources/prometheus.yaml",
    ]  # fmt: skip
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    named = re.findall(r"(?:http://|\")([a-z]+):(\d+)", text)
    assert {(name, int(port)) for name, port in named} == set(listening.items())


def test_grafana_reads_what_is_mounted() -> None:
    """The dashboards' provider looks where they are mounted; each of them is, and nothing else of their folder."""
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/orphaned.yaml").read_text(encoding="utf-8"))
    (path,) = [one["options"]["path"] for one in provider["providers"]]
    targets = {target for name, _, target in bound() if name == "grafana" and target.endswith(".json")}
    assert targets == {f"{path}/{board.name}" for board in dashboards()}


# nginx and the pager --------------------------------------------------------------------------------------------


def gateway(room: Path) -> Path:
    """A whole nginx.conf around the gateway, with the backend's name in place of a resolver."""
    text = (NGINX / "gateway.conf").read_text(encoding="utf-8")
    for old, new in (
        ("/etc/nginx/orphaned.conf", str(NGINX / "orphaned.conf")), ("backend:8000", "127.0.0.1:8000"),
        ("/var/log/nginx", str(room)), ("listen 8080", f"listen 127.0.0.1:{free_ports(1)[0]}"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    path = room / "nginx.conf"
    path.write_text(
        f"pid {room}/pid; error_log {room}/error.log;\nevents {{}}\nhttp {{\n{text}\n}}\n", encoding="utf-8"
    )
    return path


def nginx(path: Path) -> subprocess.CompletedProcess[str]:
    """`nginx -t`."""
    command = [need("nginx", "nginx-light"), "-t", "-p", str(path.parent), "-c", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nginx_accepts_the_gateway(tmp_path: Path) -> None:
    """And refuses one with a variable that is none."""
    path = gateway(tmp_path)
    done = nginx(path)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
    spoilt(path, "$request_id", "$requestid")
    assert nginx(path).returncode != 0


def test_the_gateway_does_what_the_format_asks_for() -> None:
    """Every setting that the shipped log format recommends for a location is in the gateway's."""
    text = (NGINX / "gateway.conf").read_text(encoding="utf-8")
    recommended = LOCATION.findall((NGINX / "orphaned.conf").read_text(encoding="utf-8"))
    assert len(recommended) > 4
    assert not [setting for setting in recommended if setting not in text]


def test_the_pager_prints_what_comes() -> None:
    """A line an alert; what Alertmanager did not send gets 400, and no line."""
    (port,) = free_ports(1)
    alert = {
        "status": "firing", "labels": {"alertname": "OrphanedBillLate", "severity": "warning"},
        "annotations": {"description": "Two\nlines."},
    }  # fmt: skip
    command = [sys.executable, "-I", str(DEPLOY / "pager.py"), f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        try:
            statuses = [posted(port, body) for body in ({"alerts": [alert]}, {"alerts": [1]}, ["x"])]
        finally:
            started.terminate()
        told, _ = started.communicate(timeout=60)
    assert statuses == [200, 400, 400]
    assert told == "firing    OrphanedBillLate            warning   Two lines.\n"


def posted(port: int, body: object) -> int:
    """The status of a POST, as soon as somebody listens."""
    for _ in range(300):
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("POST", "/", json.dumps(body))
            return connection.getresponse().status
        except ConnectionRefusedError:
            time.sleep(0.05)
        finally:
            connection.close()
    pytest.fail("nobody listens")
