"""docs/deploy.md, from zero to the first alert: its commands as they are written, on a host to throw away."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import host
from tests.tools import need

PAGE = host.ROOT / "docs" / "deploy.md"
SECTION = re.compile(r"^## From zero to the first alert\n(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
STATEMENT = re.compile(r"^.*<<'END'\n(?:.*\n)*?END\n|^.+\n", re.MULTILINE)
# Needs the network or a package manager: the image's build runs the same installs.
NOT_RUN = ("sudo apt-get install ", "sudo python3 -m venv ", "sudo /opt/orphaned/bin/pip install ")
# These stay in their terminal.
SERVERS = {"-m tests.lab.standing": "backend", "deploy/pager.py": "pager"}
GIVEN_UP = 28  # curl's exit code for a time-out
SECONDS_MAX = 240

WAIT = """
for _ in $(seq 600); do grep -q '^firing .*OrphanedSpendSeen' "$ROOM/pager.txt" && break; sleep 0.2; done
"""
AFTERWARDS = """
stat -c '%a %U' /var/lib/orphaned /var/lib/orphaned/ledger.duckdb > "$ROOM/modes.txt"
systemctl reload orphaned
for _ in $(seq 300); do grep -q 'config read again' "$ROOM/orphaned.txt" && break; sleep 0.1; done
systemctl stop orphaned
for _ in $(seq 300); do grep -q '"stopped"' "$ROOM/orphaned.txt" && break; sleep 0.1; done
"""


def statements() -> list[str]:
    """Every command of the section, each with its here-document."""
    found = SECTION.search(PAGE.read_text(encoding="utf-8"))
    assert found
    return [one for block in BLOCK.findall(found[1]) for one in STATEMENT.findall(block)]


def script(commands: list[str]) -> str:
    """All but `NOT_RUN`, with the servers in the background, and a wait for the page before somebody looks closer."""
    told = []
    for command in commands:
        text = command.rstrip("\n")
        server = next((name for mark, name in SERVERS.items() if mark in text), None)
        if text.startswith(NOT_RUN):
            continue
        if server:
            told.append(f'{text} > "$ROOM/{server}.txt" 2>&1 &')
        elif text.startswith("curl --max-time"):
            told.append(f"code=0; {text} || code=$?; [ $code = {GIVEN_UP} ]{WAIT}")
        elif " export verdicts " in text:
            told.append(f'{text} > "$ROOM/verdicts.csv"')
        else:
            told.append(text)
    return "\n".join([*told, AFTERWARDS])


def followed(room: Path) -> str:
    """Follow the guide on a host whose remains will be in this room; what the commands said."""
    for program, package in (
        ("nginx", "nginx-light"),
        ("prometheus", "prometheus"),
        ("prometheus-alertmanager", "prometheus-alertmanager"),
        ("systemd-sysusers", "systemd"),
        ("curl", "curl"),
    ):
        need(program, package)
    done = host.run(room, script(statements()), SECONDS_MAX)
    logs = "\n".join(f"-- {path.name}\n{path.read_text(encoding='utf-8')}" for path in sorted(room.glob("*.txt")))
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{logs}"
    return done.stdout


@pytest.mark.slow
def test_the_guide_as_written(tmp_path: Path) -> None:
    """A call that was left ends as a line at the pager; on the way every check says yes, and the ledger is its own."""
    if host.missing():
        pytest.skip(f"the guide was not tried: {host.missing()}")
    said = followed(tmp_path)
    the_tools_say_yes(said)
    the_money_is_that_call(tmp_path)
    the_ledger_is_its_users_alone(tmp_path)
    reload_and_stop_are_heard(tmp_path)


def the_tools_say_yes(said: str) -> None:
    """What the guide has checked by Prometheus' and Alertmanager's own tools, and the collector's word, are good."""
    assert "SUCCESS: /etc/prometheus/prometheus.yml is valid" in said
    assert "SUCCESS: 3 rule files found" in said
    assert "Checking '/etc/prometheus/alertmanager.yml'  SUCCESS" in said
    assert "ready\n" in said


def the_money_is_that_call(room: Path) -> None:
    """The pager's figure is that of the one call: nginx saw it leave, the backend ran on, and their ids join them."""
    lines = (room / "pager.txt").read_text(encoding="utf-8").splitlines()
    fired = [line for line in lines if line.startswith("firing    OrphanedSpendSeen           info      ")]
    paged = re.search(r" (0\.\d{6}) USD in the last day\. ", fired[0])
    (row,) = csv.DictReader((room / "verdicts.csv").read_text(encoding="utf-8").splitlines())
    told = [row[name] for name in ("observer", "reason", "verdict", "evidence", "basis", "service")]
    assert told == ["edge", "disconnect", "orphaned", "exact", "estimated", "web"]
    assert paged
    assert f"{float(row['orphaned_cost']):.6f}" == paged[1]


def the_ledger_is_its_users_alone(room: Path) -> None:
    """Started by the unit's user, umask and state directory, the ledger is nobody else's to read."""
    assert (room / "modes.txt").read_text(encoding="utf-8").splitlines() == ["700 orphaned", "600 orphaned"]


def reload_and_stop_are_heard(room: Path) -> None:
    """What the unit sends on reload and stop, the daemon takes: the config again, and an end that leaves nothing."""
    log = (room / "orphaned.txt").read_text(encoding="utf-8")
    assert '"config read again"' in log
    assert '"run_left_behind": false' in log


def test_the_guide_runs_all_but_installs() -> None:
    """Only the commands that the page itself names as not run are left out."""
    skipped = [one for one in statements() if one.startswith(NOT_RUN)]
    assert len(skipped) == 5
    assert len(statements()) > 25


def test_no_host_outside_of_namespaces(tmp_path: Path) -> None:
    """Started by hand, where its mounts would be the machine's own, it mounts nothing and runs nothing."""
    command = [sys.executable, "-m", "tests.deploy.host", str(tmp_path), str(tmp_path / "script")]
    done = subprocess.run(command, cwd=host.ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "namespaces of its own" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_guide_without_its_first_alert_fails(tmp_path: Path) -> None:
    """The test bites: what it runs is the page, so a command that is wrong there ends it."""
    if host.missing():
        pytest.skip(f"the guide was not tried: {host.missing()}")
    broken = [one.replace("deploy/nginx/orphaned.conf", "deploy/nginx/orphan.conf") for one in statements()]
    done = host.run(tmp_path, script([one for one in broken if "nginx" in one]), SECONDS_MAX)
    assert done.returncode != 0
    assert "orphan.conf" in done.stderr
