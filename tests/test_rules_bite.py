"""The rules' own tests bite: whatever is broken in an alert, a threshold or a clause, promtool says so."""

import shutil
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from tests.rule_mutants import Mutant, cases_of, committed, mutants, whole
from tests.tools import need

PARTS = 3  # so that processors can share the work
ALERTS = list(dict.fromkeys(rule["alert"] for rule in committed()[1]))


def passes(mutant: Mutant, directory: Path) -> bool:
    """Whether promtool finds nothing wrong with `mutant`, by the committed cases of its alert."""
    mutant.write(directory)
    return all(_holds(cases, directory, mutant.name) for cases in cases_of(mutant.alert))


def _holds(cases: Path, directory: Path, name: str) -> bool:
    copied = directory / "tests" / cases.name
    copied.parent.mkdir(exist_ok=True)
    shutil.copy(cases, copied)
    command = [need("promtool", "prometheus"), "test", "rules", str(copied)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "exp:" in done.stdout + done.stderr, f"{name}: {done.stderr}"  # no rule at all
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(900)  # up to thirty promtool runs, of up to three seconds of work each
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("alert", ALERTS)
def test_every_broken_rule_is_caught(alert: str, part: int, tmp_path: Path) -> None:
    """Each threshold a tenth off, each time halved or doubled, each clause away or turned: some case fails."""
    assert passes(whole(alert), tmp_path)
    broken = islice(mutants(alert), part, None, PARTS)
    assert [mutant.name for mutant in broken if passes(mutant, tmp_path)] == []
