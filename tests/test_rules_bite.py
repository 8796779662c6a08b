"""The rules' own tests bite: whatever is broken in an alert, a threshold or a clause, promtool says so."""

import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import yaml

from tests.rule_mutants import Mutant, cases_of, committed, mutants, whole
from tests.tools import BRIEF, need

PARTS = 3  # so that processors can share the work
ALERTS = list(dict.fromkeys(rule["alert"] for rule in committed()[1]))


def cases(alert: str, directory: Path) -> list[Path]:
    """The committed cases of an alert, each in a file of its own: the first that fails is enough."""
    (directory / "tests").mkdir()
    return list(_cases(alert, directory / "tests"))


def _cases(alert: str, directory: Path) -> Iterator[Path]:
    for file in cases_of(alert):
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        for number, case in enumerate(told["tests"]):
            path = directory / f"{file.stem}-{number}.yaml"
            path.write_text(yaml.safe_dump({**told, "tests": [case]}, sort_keys=False), encoding="utf-8")
            yield path


def holds(case: Path, name: str) -> bool:
    """Whether promtool finds the case as it should be, by the rules that are written beside it."""
    command = [need("promtool", "prometheus"), "test", "rules", str(case)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=BRIEF)
    assert done.returncode == 0 or "exp:" in done.stdout + done.stderr, f"{name}: {done.stderr}"  # no rule at all
    return done.returncode == 0


def survives(mutant: Mutant, tried: list[Path], directory: Path) -> bool:
    """Whether no case notices `mutant`. The one that does is tried first on the next, which is much like this one."""
    mutant.write(directory)
    noticed = next((case for case in tried if not holds(case, mutant.name)), None)
    if noticed:
        tried.remove(noticed)
        tried.insert(0, noticed)
    return noticed is None


@pytest.mark.slow
@pytest.mark.parametrize("alert", ALERTS)
def test_unbroken_rules_pass(alert: str, tmp_path: Path) -> None:
    """With nothing wrong every case holds, so that it is what is wrong that fails one."""
    assert survives(whole(alert), cases(alert, tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("alert", ALERTS)
def test_every_broken_rule_is_caught(alert: str, part: int, tmp_path: Path) -> None:
    """Each threshold a tenth off, each time halved or doubled, each clause away or turned: some case fails."""
    tried = cases(alert, tmp_path)
    broken = islice(mutants(alert), part, None, PARTS)
    assert [mutant.name for mutant in broken if survives(mutant, tried, tmp_path)] == []
