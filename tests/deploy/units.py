"""A stand-in for `systemctl` where systemd is not process 1: starts what a unit would start, and knows four units.

Of orphaned.service it takes what stands in the installed file: command, environment, user, groups, umask and state
directory; not its sandbox. Of Debian's units, the commands that they come to. Output goes to $ROOM/UNIT.txt.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

UNIT = Path("/etc/systemd/system/orphaned.service")
COMMANDS = {
    "nginx": ["nginx"],
    "prometheus": [
        "prometheus",
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/var/lib/prometheus/metrics2",
        "--web.listen-address=127.0.0.1:9090",
    ],
    "prometheus-alertmanager": [
        "prometheus-alertmanager",
        "--config.file=/etc/prometheus/alertmanager.yml",
        "--storage.path=/var/lib/prometheus/alertmanager",
        "--web.listen-address=127.0.0.1:9093",
        "--cluster.listen-address=",  # there is no other one, and no address but loopback to find it by
    ],
}


def settings(text: str) -> dict[str, str]:
    """Key -> value of a unit file; of a key that stands there twice, the last."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith(("#", ";")))
    return {key.strip(): value.strip() for key, value in pairs}


def collector() -> tuple[list[str], dict[str, str]]:
    """Command and environment of the installed unit.

    It may read what its user could not, because Python itself may be root's here; it may write only what is its own.
    """
    told = settings(UNIT.read_text(encoding="utf-8"))
    state = Path("/var/lib") / told["StateDirectory"]
    state.mkdir(mode=int(told["StateDirectoryMode"], 8), exist_ok=True)
    _run("chown", f"{told['User']}:{told['Group']}", str(state))
    os.umask(int(told["UMask"], 8))
    os.chdir(told["WorkingDirectory"])
    who = ["setpriv", f"--reuid={told['User']}", f"--regid={told['Group']}", f"--groups={told['SupplementaryGroups']}"]
    reads = [
        "--bounding-set=-all,+dac_read_search",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=+dac_read_search",
    ]
    name, _, value = told["Environment"].partition("=")
    return [*who, *reads, *told["ExecStart"].split()], {name: value}


def start(unit: str) -> None:
    """Start it, and write down its process id."""
    room = Path(os.environ["ROOM"])
    command, variables = collector() if unit == "orphaned" else (COMMANDS[unit], {})
    with (room / f"{unit}.txt").open("ab") as output:
        started = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **variables})
    (room / f"{unit}.pid").write_text(str(started.pid), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """What the guide asks of it; KeyError for a unit or a verb that it does not."""
    verb, unit = arguments[0], arguments[-1]
    pid_file = Path(os.environ["ROOM"]) / f"{unit}.pid"
    if verb == "daemon-reload":
        return
    if not pid_file.exists():
        start(unit)
    else:
        number = {"reload": signal.SIGHUP, "stop": signal.SIGTERM}[verb]
        os.kill(int(pid_file.read_text(encoding="utf-8")), number)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
