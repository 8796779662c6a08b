"""When a process has nothing left to do but wait: what the lab goes by instead of the clock. Linux's /proc."""

import asyncio
from pathlib import Path

LOOKS, LOOK_SECONDS = 3, 0.005


async def asleep(pid: int) -> None:
    """Until a process is asleep whenever it is looked at. What has reached it by now, it has then dealt with.

    A Ctrl-C that comes while an answer is being taken in is another story: pydantic turns it into an error of its own.
    """
    looks = 0
    while looks < LOOKS:
        await asyncio.sleep(LOOK_SECONDS)
        looks = looks + 1 if _is_asleep(pid) else 0


def _is_asleep(pid: int) -> bool:
    """Its state in proc(5): the first field behind the name."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "S"
