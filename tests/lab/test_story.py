"""The story for a person: it is told to its end, and its money is right."""

from pathlib import Path

import pytest

from tests.lab import story
from tests.tools import need

pytestmark = pytest.mark.slow


def test_the_story(tmp_path: Path) -> None:
    """Two scripts are interrupted; nginx logs 499 and a healthy 200; the money of both is found to the last digit."""
    need("nginx", "nginx")
    told: list[str] = []
    story.tell(tmp_path, told.append)
    text = "\n".join(told)
    assert text.count("KeyboardInterrupt") == 2
    assert text.count('"outcome": "aborted", "reason": "interrupt"') == 2
    assert '"status": "499", "request_completion": ""' in text
    assert '"status": "200", "request_completion": "OK"' in text
    assert "2 orphaned (evidence: 2 exact)" in text
    assert "0.064 USD paid for nothing" in text
