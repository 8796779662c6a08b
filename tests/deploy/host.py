"""A host to throw away: a script runs in namespaces of its own, where /etc, /var, /opt and all ports are free to use.

`python -m tests.deploy.host ROOM SCRIPT`, as root, under `unshare --mount --net --pid --fork --kill-child`: lays an
overlay over the three folders, brings up loopback, and runs the script by bash. What it writes goes into ROOM and is
gone with it; what it starts ends with it. `sudo` and `systemctl` are stand-ins: one takes its own name away, the
other is `tests.deploy.units`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tools import need

ROOT = Path(__file__).parents[2]
COVERED = ("etc", "var", "opt")
SUDO = '#!/bin/sh\n[ "$1" = -u ] && shift 2\nexec "$@"\n'
SYSTEMCTL = '#!/bin/sh\nexec "{python}" -m tests.deploy.units "$@"\n'
UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


def dashboards() -> list[Path]:
    """What Grafana is given: JSON in dashboards/ or in dashboards/grafana/."""
    return [path for folder in ("dashboards", "dashboards/grafana") for path in sorted((ROOT / folder).glob("*.json"))]


def missing() -> str:
    """Why there can be no such host here; empty where there can."""
    if os.geteuid() != 0:
        return "only root may make namespaces and mounts here"
    if shutil.which("unshare") is None:
        return "unshare is missing: apt-get install util-linux"
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no namespaces to be had: {tried.stderr.strip()}"


def run(room: Path, script: str, seconds_max: float) -> subprocess.CompletedProcess[str]:
    """The script's end, with all that it said. TimeoutExpired if it takes longer; then nothing of it is left either."""
    need("ip", "iproute2")
    (room / "script").write_text(script, encoding="utf-8")
    command = [*UNSHARE, sys.executable, "-m", "tests.deploy.host", str(room), str(room / "script")]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds_max, env=environment(room)
    )


def environment(room: Path) -> dict[str, str]:
    """This one's, with the stand-ins first in the path, and the program as it stands in the repository."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ORPHANED_")}
    path = f"{room}/bin:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "USER": "root", "ROOM": str(room)}


def main(room: Path, script: Path) -> None:
    """Make the host, and become its script. Refused where it is not process 1: the mounts would be the machine's."""
    if os.getpid() != 1:
        sys.exit("only for tests.deploy.host.run: outside of namespaces of its own this would cover the machine's /etc")
    _stand_in(room / "bin" / "sudo", SUDO)
    _stand_in(room / "bin" / "systemctl", SYSTEMCTL.format(python=sys.executable))
    layers = room / "layers"
    layers.mkdir()
    _do("mount", "-t", "tmpfs", "tmpfs", str(layers))
    for name in COVERED:
        upper, work = layers / name, layers / f"{name}-work"
        upper.mkdir()
        work.mkdir()
        _do("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", f"/{name}")
    _do("mount", "-t", "tmpfs", "tmpfs", "/run")
    _do("ip", "link", "set", "lo", "up")
    Path("/opt/orphaned").symlink_to(sys.prefix)
    os.execvp("bash", ["bash", "-euo", "pipefail", str(script)])  # noqa: S606 (no shell between it and us)


def _stand_in(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
