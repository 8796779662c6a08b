"""The story that the project was born from, for a person to watch: a script, Ctrl-C, nginx, Google's log, the bill.

Two acts: nginx as it comes, and with proxy_ignore_client_abort on. Everything but the provider is real. `say` gets
what is to be read, piece by piece.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from tests.lab import books, collecting
from tests.lab.cells import Cell, Setting, Shape, all_cells
from tests.lab.edge import LOG, nginx
from tests.lab.outcome import Line, lines
from tests.lab.played import Played, played_of
from tests.lab.service import Work, serving
from tests.lab.stage import CALLS_LOG, STEP_SECONDS_MAX, environment, process, wait_for_lines, watched

Say = Callable[[str], None]
WAIT_SECONDS = 1.0  # until whoever watches presses Ctrl-C

IMAGES = """\
import os
from google import genai
from google.oauth2.credentials import Credentials

client = genai.Client(
    vertexai=True, project="acme-prod", location="us-central1", credentials=Credentials(token="fake"),
    http_options={"base_url": os.environ["GATEWAY"]},
)
client.models.generate_images(model="imagen-4.0-generate-001", prompt="two cats")
"""
TEXT = """\
import os
from google import genai

client = genai.Client(api_key="fake", http_options={"base_url": os.environ["GATEWAY"]})
client.models.generate_content(model="gemini-3.5-flash", contents="Tell me of two cats.")
"""
STARTED = ("event", "at", "provider", "account", "model", "operation", "request_id")
ENDED = ("event", "at", "outcome", "reason", "bytes_received")
NGINX = ("http_x_request_id", "request_id", "request_time", "status", "request_completion", "upstream_status")
ENTRY = ("timestamp", "httpRequest", "jsonPayload")


@dataclass(frozen=True, slots=True)
class Act:
    """One script, and the nginx that it meets. `remark`: what nginx's line says to who reads only that."""

    title: str
    shape: Shape
    setting: Setting
    script: str
    remark: str

    @property
    def cell(self) -> Cell:
        """The cell of the table that is played: Ctrl-C, and a backend that runs on."""
        found = (cell for cell in all_cells() if (cell.setting, cell.shape) == (self.setting, self.shape))
        return next(cell for cell in found if cell.way == "ctrl-c" and not cell.stops)


ACTS = (
    Act(
        "FIRST ACT: nginx as it comes", "imagen", Setting(ignores=False, buffers=False), IMAGES,
        "Status 499: somebody left. Not whether the work went on, nor what it cost.",
    ),
    Act(
        "SECOND ACT: proxy_ignore_client_abort on", "gemini", Setting(ignores=True, buffers=False), TEXT,
        "Status 200, completed: a good call like any other, as far as nginx knows.",
    ),
)  # fmt: skip


def tell(room: Path, say: Say) -> None:
    """Both acts, then the bill, and what the collector makes of it all."""
    told = [asyncio.run(_play(room, act, say)) for act in ACTS]
    _settle(room, told, say)


async def _play(room: Path, act: Act, say: Say) -> Played:
    """One act, up to the backend's entry."""
    name = f"{act.shape}.py"
    _show(say, f"{act.title}\n{'-' * len(act.title)}\n{name}:", act.script)
    script = _written(room / name, act.script)
    async with serving() as service:
        with nginx(room, service.port) as edge:
            work = service.expect(act.cell, act.shape)
            code = await _interrupt(room, script, f"http://127.0.0.1:{edge.ports[act.setting]}/{act.shape}", work, say)
            await wait_for_lines(room / LOG, [act.shape])
    played = played_of(work, 0, code)
    _show(say, "nginx's log:", _shown(lines(room / LOG)[-1], NGINX), act.remark)
    _show(say, "Google's log, under the id that nginx passed on:", _shown(books.entry(played), ENTRY))
    return played


async def _interrupt(room: Path, script: Path, gateway: str, work: Work, say: Say) -> int:
    """Run the script under watch, interrupt it, and let the backend finish; the script's exit code."""
    say(f"$ python -m orphaned_inference --log calls.jsonl {script.name}")
    command = [*watched(room / CALLS_LOG, "painter"), str(script)]
    variables = {**environment(room), "GATEWAY": gateway}
    async with process(*command, env=variables, stderr=asyncio.subprocess.PIPE) as started:
        await asyncio.wait_for(work.arrived.wait(), STEP_SECONDS_MAX)
        say("  ... the request has come through nginx, and the backend is at work ...")
        await asyncio.sleep(WAIT_SECONDS)
        started.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(started.communicate(), STEP_SECONDS_MAX)
    code = started.returncode or 0
    say(f"^C\n{errors.decode().strip().splitlines()[-1]} (ended by signal {-code})\n")
    start, end = lines(room / CALLS_LOG)[-2:]
    _show(say, "The client's log:", _shown(start, STARTED), _shown(end, ENDED))
    work.left.set()
    await work.done.wait()
    over_ms = (work.finished_us - work.received_us) // 1000
    say(f"The backend works on, and is done {over_ms} ms after it began: {work.status}.\n")
    return code


def _settle(room: Path, told: Sequence[Played], say: Say) -> None:
    """The bill comes, and the collector reads it all."""
    books.write(room, told, unlogged=0)
    title = "DAYS LATER: the bill"
    _show(say, f"{title}\n{'-' * len(title)}", *[_charged(row) for row in books.bill(told, unlogged=0)])
    say("$ orphaned run --once")
    said = collecting.collect(room, max(one.finished_us for one in told), "verdicts")
    say(indent(said.strip(), "  ") + "\n")
    say("$ orphaned export verdicts")
    rows = {row["completion_id"]: row for row in collecting.rows(room, "verdicts") if row["observer"] == "app"}
    for row in (rows[one.completion_id] for one in told):
        say(
            f"  {row['model']}: {row['reason']}, {row['verdict']} (evidence {row['evidence']}, {row['basis']})\n"
            f"    {row['orphaned_cost']} {row['currency']} paid for nothing; {row['avoidable_cost']} of it arose after "
            "the Ctrl-C"
        )


def _charged(row: Line) -> str:
    """A row of the bill."""
    return f"{row['sku']['description']:46}{row['usage']['amount']:>6}{row['cost']:>14} {row['currency']}"


def _shown(line: Line, keys: Sequence[str]) -> str:
    """What matters of a line."""
    return json.dumps({key: line[key] for key in keys})


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _show(say: Say, title: str, *blocks: str) -> None:
    say(title)
    for block in blocks:
        say(indent(block.rstrip(), "  "))
    say("")


def to_terminal(text: str) -> None:
    """One piece of the story."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
