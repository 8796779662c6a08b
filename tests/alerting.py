"""A real Prometheus and a real Alertmanager on loopback, with our rules at a pace for tests, and who is told.

In: a directory, and the collector's address. Out: a running pair; every alert that arrives at the receivers. Both
programs come from Debian (tests/tools.py); both are stopped, and waited for, at the end.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rules.build import write
from rules.values import VALUES_YAML, Values
from tests.lab.edge import free_ports
from tests.loopback import json_server, served, until
from tests.tools import need

EXAMPLE = Path(__file__).parents[1] / "rules" / "alertmanager.example.yaml"
Alert = dict[str, Any]


@dataclass
class Told:
    """What has arrived: (receiver, alert) in order."""

    alerts: list[tuple[str, Alert]] = field(default_factory=list)

    def answer(self, method: str, path: str, asked: Any) -> tuple[int, Any]:
        """A receiver's answer to one message of Alertmanager."""
        assert method == "POST"
        self.alerts += [(path.removeprefix("/"), alert) for alert in asked["alerts"]]
        return 200, {}

    def of(self, name: str, status: str) -> list[tuple[str, Alert]]:
        """The alerts of that name that arrived as `firing` or `resolved`."""
        return [(to, one) for to, one in self.alerts if one["labels"]["alertname"] == name and one["status"] == status]

    def wait(self, name: str, status: str) -> tuple[str, Alert]:
        """The first of these, as soon as it is there."""
        until(lambda: bool(self.of(name, status)), f"{name} {status}")
        return self.of(name, status)[0]


@dataclass(frozen=True)
class Watch:
    """A running Prometheus, and what its Alertmanager has told."""

    address: str
    told: Told

    def ask(self, query: str) -> dict[str, float]:
        """The present values of an instant query, by their labels as JSON text."""
        found = self._get(f"query?{urllib.parse.urlencode({'query': query})}")["result"]
        return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in found}

    def rules(self) -> list[Alert]:
        """Every rule that it evaluates, with its health and its last error."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]


def quick_values(**changed: Mapping[str, Any]) -> Values:
    """The committed values at a pace for tests; `changed` are keys of sections."""
    values = yaml.safe_load(VALUES_YAML.read_text("utf-8"))
    for section, keys in {"prometheus": {"evaluation": "1s", "lookback": "5s"}, **changed}.items():
        values[section] |= keys
    return Values.model_validate(values)


@contextmanager
def watching(room: Path, collector: str, values: Values) -> Iterator[Watch]:
    """Prometheus and Alertmanager over the collector at that address, by rules rendered from `values`."""
    programs = [need("prometheus", "prometheus"), need("prometheus-alertmanager", "prometheus-alertmanager")]
    prometheus, alertmanager = (f"127.0.0.1:{port}" for port in free_ports(2))
    told = Told()
    write(values, room)
    with ExitStack() as stack:
        receiver = stack.enter_context(json_server(told.answer))
        _write_yaml(room / "alertmanager.yaml", _routes(receiver))
        _write_yaml(room / "prometheus.yaml", _scrapes(collector, alertmanager))
        commands = {
            prometheus: [
                programs[0], f"--config.file={room}/prometheus.yaml", f"--storage.tsdb.path={room}/tsdb",
                f"--web.listen-address={prometheus}", "--rules.alert.resend-delay=1s",
            ],
            alertmanager: [
                programs[1], f"--config.file={room}/alertmanager.yaml", f"--storage.path={room}/silences",
                f"--web.listen-address={alertmanager}", "--cluster.listen-address=",
            ],
        }  # fmt: skip
        for address, command in commands.items():
            stack.enter_context(served(command, address, room / f"{Path(command[0]).name}.log"))
        yield Watch(prometheus, told)


def _write_yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _scrapes(collector: str, alertmanager: str) -> Any:
    """Prometheus' config: one scrape a second."""
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["recording.yaml", "alerts.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "orphaned-inference", "static_configs": [{"targets": [collector]}]}],
    }


def _routes(receiver: str) -> Any:
    """The shipped example, at a pace for tests and to receivers of our own."""
    config = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    for one in config["receivers"]:
        one["webhook_configs"] = [{"url": f"http://{receiver}/{one['name']}", "send_resolved": True}]
    return config
