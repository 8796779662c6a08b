"""The unit: systemd's own tools judge it, and the real daemon is held to the system calls that it allows.

Nothing here starts systemd: process 1 would tidy up /tmp, /run and more of the machine that it runs on.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from collector.cli.guard import MISUSED
from tests.deploy.units import settings
from tests.tools import need

SYSTEMD = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = SYSTEMD / "orphaned.service"
TEXT = UNIT.read_text(encoding="utf-8")
EXPOSURE_MAX = 20  # tenths; 14 at the time of writing, and 96 without any hardening
CALL = re.compile(r"^\d+ +([a-z0-9_]+)\(", re.MULTILINE)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze`, with the program's path led to one that is there."""
    command = [need("systemd-analyze", "systemd"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def unit(room: Path, text: str) -> str:
    """The unit as a file; its program is `true`."""
    path = room / "orphaned.service"
    path.write_text(text.replace("/opt/orphaned/bin/orphaned", "/bin/true"), encoding="utf-8")
    return str(path)


def complaints(room: Path, text: str) -> str:
    """What `systemd-analyze verify` says of this unit; what it says of others of the machine is not meant."""
    done = analyze("verify", unit(room, text))
    return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "orphaned.service" in line)


def test_verify_has_no_complaint(tmp_path: Path) -> None:
    """Every key and value is one that systemd knows."""
    assert complaints(tmp_path, TEXT) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ProtectHome=yes", "ProtectHoem=yes"),
        ("Type=exec", "Type=exce"),
        ("@system-service", "@sytem-service"),
        ("TimeoutStopSec=10", "TimeoutStopSec=10 parsecs"),
    ],
)
def test_verify_bites(right: str, wrong: str, tmp_path: Path) -> None:
    """The manager itself would go on without such a line, and the guard that it is would be gone."""
    assert right in TEXT
    assert complaints(tmp_path, TEXT.replace(right, wrong)) != ""


def test_it_is_exposed_to_little(tmp_path: Path) -> None:
    """`systemd-analyze security` finds little to reach from inside; without the hardening it finds nearly all."""
    offline = ("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}")
    done = analyze(*offline, unit(tmp_path, TEXT))
    assert done.returncode == 0, done.stdout
    bare = "\n".join(line for line in TEXT.splitlines() if not re.match(r"Protect|Private|Restrict|System|Cap", line))
    assert analyze(*offline, unit(tmp_path, bare)).returncode != 0


def test_sysusers_makes_the_user() -> None:
    """The user that the unit names is the one that the other file makes, without a password and a shell."""
    told = settings(TEXT)
    command = [need("systemd-sysusers", "systemd"), "--dry-run", str(SYSTEMD / "orphaned.sysusers.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert told["User"] == told["Group"] == "orphaned"
    assert f"u {told['User']} " in (SYSTEMD / "orphaned.sysusers.conf").read_text(encoding="utf-8")


def test_a_wrong_config_is_not_tried_again() -> None:
    """The exit code for bad usage or config is the one that does not lead to a restart."""
    assert settings(TEXT)["RestartPreventExitStatus"] == str(MISUSED)


def system_calls(name: str) -> set[str]:
    """The members of one of systemd's groups, with those of the groups in it."""
    done = analyze("syscall-filter", "--no-pager", name)
    assert done.returncode == 0, done.stderr
    members = [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")]
    inner = [system_calls(one) for one in members if one.startswith("@")]
    return {one for one in members if one[0] not in "@#"}.union(*inner)


def allowed() -> set[str]:
    """By the unit's lines, in their order."""
    calls: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", TEXT, re.MULTILINE):
        named = [system_calls(one) if one.startswith("@") else {one} for one in line.removeprefix("~").split()]
        calls = calls.difference(*named) if line.startswith("~") else calls.union(*named)
    return calls


def trace(room: Path) -> str:
    """Every system call of a daemon that reads a file, serves, and is ended. Bounded by a minute."""
    need("strace", "strace")
    (room / "calls.jsonl").write_text("{}\n", encoding="utf-8")
    (room / "orphaned.yaml").write_text(
        yaml.safe_dump(
            {
                "http": {"listen": "127.0.0.1:0"},
                "sources": [{"name": "app", "kind": "client-log", "path": "calls.jsonl"}],
            }
        ),
        encoding="utf-8",
    )
    program = [sys.executable, "-m", "collector", "run", "--config", str(room / "orphaned.yaml")]
    command = ["strace", "-f", "-qq", "-I", "2", "-o", str(room / "trace"), *program]
    with (room / "log").open("wb") as log, subprocess.Popen(command, cwd=room, stderr=log) as started:
        try:
            for _ in range(600):
                if b'"run_id"' in (room / "log").read_bytes():
                    break
                time.sleep(0.1)
            pid = int(Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text(encoding="ascii").split()[0])
            subprocess.run(["kill", "-TERM", str(pid)], check=True)
            assert started.wait(60) == 0, (room / "log").read_text(encoding="utf-8")
        finally:
            started.kill()
    return (room / "trace").read_text(encoding="utf-8", errors="replace")


def test_the_daemon_needs_no_more_than_it_may(tmp_path: Path) -> None:
    """What the daemon calls from start to end is in the unit's filter; what no service needs is not."""
    told = trace(tmp_path)
    used, may = set(CALL.findall(told)), allowed()
    assert len(used) > 30
    assert '"run_left_behind": false' in (tmp_path / "log").read_text(encoding="utf-8")
    assert used - may == set(), "the unit's filter would refuse this"
    assert {"mount", "ptrace", "reboot", "init_module"}.isdisjoint(may)
    families = set(re.findall(r"socket\((AF_[A-Z0-9]+)", told))
    assert families <= set(settings(TEXT)["RestrictAddressFamilies"].split()) | {"AF_NETLINK"}
