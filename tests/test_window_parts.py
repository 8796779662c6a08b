"""The windows' split of all inference spend before any bill: what aborts lost, and the rest delivered."""

from pathlib import Path

import pytest

from collector.pipeline import latest
from collector.records import WindowSpend
from tests.helpers import settled
from tests.helpers import verdicts as current_verdicts
from tests.world import WorldSpec, build

ROUNDING_NANO = 4  # a completion is rounded once for each kind of token


def test_what_is_not_billed_is_split_as_the_verdicts_are(tmp_path: Path) -> None:
    """Without a bill, orphaned and cut short are the estimates of those verdicts, and most of the rest is delivered."""
    config = settled(build(WorldSpec(seed=3, calls=400, bill="none")), tmp_path)
    window = next(one for one in latest(config).windows if (one.window, one.currency) == ("7d", "USD"))
    rows = [row for row in current_verdicts(config) if row["money_row"]]
    for verdict in ("orphaned", "cut_short"):
        lost = [row["orphaned_nano"] for row in rows if row["verdict"] == verdict]
        assert lost
        assert window.parts[verdict] == pytest.approx(sum(lost), abs=ROUNDING_NANO * len(lost))
    assert window.parts["delivered"] > _lost(window) > 0


def _lost(window: WindowSpend) -> int:
    return window.parts["orphaned"] + window.parts["cut_short"]
