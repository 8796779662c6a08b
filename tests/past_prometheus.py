"""A real Prometheus on loopback over blocks that promtool made: nothing is scraped, only asked.

In: an OpenMetrics file, or a folder with blocks. Out: the answers to queries at instants. It is stopped at the end.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.lab.edge import free_ports
from tests.loopback import served
from tests.tools import need

Answer = dict[tuple[tuple[str, str], ...], float]  # sorted labels with the name -> value


def load(file: Path, blocks: Path) -> str:
    """Let promtool make blocks of an OpenMetrics file; what it said. AssertionError with its words if it refused."""
    blocks.mkdir(exist_ok=True)
    done = subprocess.run(
        [need("promtool", "prometheus"), "tsdb", "create-blocks-from", "openmetrics", file, blocks],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class PastPrometheus:
    """A running one, to be asked."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, query: str, at_us: int) -> Answer:
        """The vector that a query gives at an instant."""
        given = urlencode({"query": query, "time": f"{at_us / 1e6:.3f}"})
        with urlopen(f"http://{self._address}/api/v1/query?{given}", timeout=30) as answer:
            result = json.load(answer)["data"]["result"]
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in result}


@contextmanager
def serving(blocks: Path, folder: Path) -> Iterator[PastPrometheus]:
    """A Prometheus over `blocks`, with its config in `folder`."""
    program = need("prometheus", "prometheus")
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n", encoding="utf-8")
    address = f"127.0.0.1:{free_ports(1)[0]}"
    command = [
        program, f"--config.file={config}", f"--storage.tsdb.path={blocks}", f"--web.listen-address={address}",
        "--storage.tsdb.retention.time=100y",
    ]  # fmt: skip
    with served(command, address, folder / "prometheus.log"):
        yield PastPrometheus(address)
