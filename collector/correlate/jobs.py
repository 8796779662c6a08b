"""The lives of jobs: who waited for a batch or a long-running operation, who left, what a cancel did, how it ended.

In: the events of jobs beyond `from_batch`, and what time has made due. Out: the temporary tables `job_changed` and
`job_before`, and the tables job (versions) and job_current. A job is known by its own name, so nothing is matched and
nothing guessed: its life is told by its events, whatever their order. This room knows no price and no bill.
"""

from collections.abc import Mapping
from typing import Any

import duckdb

from collector.ledger import dialect, job_events

PACKAGE = "collector.correlate"
WAIT_US = 24 * 3_600_000_000  # how long a batch may take, where no log tells its end
SILENCE_US = 24 * 3_600_000_000

STEPS = (
    "job_touched", "job_wait", "job_open_extent", "job_pulse", "job_end", "job_look", "job_leaver", "job_drawn",
    "job_changed", "job_before", "job_lost_end", "job_put", "job_current_drop", "job_current_put",
)  # fmt: skip


def draw(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Draw the touched jobs again; nothing is done where no line about a job was ever read."""
    if not job_events.any_known(connection):
        return
    newest = connection.execute("SELECT coalesce(max(job_no), 0) FROM job_current").fetchall()[0][0]
    bound = {**values, "job_no": newest, "wait_us": WAIT_US, "silence_us": SILENCE_US}
    dialect.steps(connection, PACKAGE, STEPS, bound)
