"""The command `orphaned`: parse, call, exit code.

Arguments come in; machine output goes to standard output, everything else to standard error. Exit codes:
0 done, 1 something outside failed (said which), 2 bad usage or config, 3 a broken invariant. With the daemon
this is the only place that reads the clock or catches whatever comes. Heavy imports wait until needed.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from typer.core import TyperGroup

from collector.problems import BrokenInvariantError, OperatingError, UsageError
from collector.records import instant_us

if TYPE_CHECKING:
    from collector.config import Config

DONE, FAILED, MISUSED, BROKEN = 0, 1, 2, 3
CONFIG_DEFAULT = Path("orphaned.yaml")
_ENGINE_TROUBLES = frozenset({"IOException", "OutOfMemoryException"})  # of DuckDB: disk, memory


class TableName(StrEnum):
    """What `export` writes."""

    verdicts = "verdicts"
    reconciliation = "reconciliation"
    problems = "problems"
    policies = "policies"
    retries = "retries"
    jobs = "jobs"


class TableFormat(StrEnum):
    """How `export` writes it."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


class TextFormat(StrEnum):
    """For a person, or for a program."""

    text = "text"
    json = "json"


class Guarded(TyperGroup):
    """Turns what a command raises into one line on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; no traceback of an expected error reaches a user."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _closed_pipe()
            raise typer.Exit(DONE) from None
        except UsageError as error:
            _say(str(error))
            raise typer.Exit(MISUSED) from None
        except BrokenInvariantError as error:
            _say(str(error))
            raise typer.Exit(BROKEN) from None
        except OperatingError as error:
            _say(str(error))
            raise typer.Exit(FAILED) from None
        except (typer.Exit, typer.Abort):
            raise
        except OSError as error:
            _say(f"{error.filename or 'the system'}: {error.strerror or error}")
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if type(error).__module__.startswith(("typer", "click")):
                raise  # what the parser says about the arguments, it says itself
            if type(error).__name__ in _ENGINE_TROUBLES:
                _say(f"the ledger's engine: {_first_line(error)}")
                raise typer.Exit(FAILED) from None
            _unforeseen(error)
            raise typer.Exit(FAILED) from None
        return result


def _closed_pipe() -> None:
    """Nobody reads on: what is still buffered must not raise once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _unforeseen(error: Exception) -> None:
    """One line about a defect; the traceback only for who asks for it."""
    if os.environ.get("ORPHANED_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    _say(
        f"unforeseen: {type(error).__name__}: {_first_line(error)}. This is a defect of "
        "orphaned-inference: please report it, with what ORPHANED_DEBUG=1 adds to this"
    )


def _say(text: str) -> None:
    """One message (or several lines of them) on standard error."""
    typer.echo(text, err=True)


app = typer.Typer(
    cls=Guarded,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Finds what AI inference calls cost that somebody gave up waiting for.",
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The config; else $ORPHANED_CONFIG, else orphaned.yaml."),
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="What was known by then; default: by the last run."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Where to; `-` (the default) is standard output."),
]


LayoutOption = Annotated[TextFormat, typer.Option("--format", help="For a person, or for a program.")]


def main() -> None:
    """The command's entry point; ends the process."""
    app()


def _version(wanted: bool) -> None:
    """Say which version this is, and end."""
    if wanted:
        from collector import __version__

        typer.echo(f"orphaned {__version__}")
        raise typer.Exit(DONE)


@app.callback()
def common(
    ctx: typer.Context,
    config: ConfigOption = None,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", is_eager=True, callback=_version, help="The version.")
    ] = False,
) -> None:
    """Finds what AI inference calls cost that somebody gave up waiting for."""
    ctx.obj = config


def _config(ctx: typer.Context, named: Path | None) -> "Config":
    """The config of this call: the option behind the command, before it, the environment, the default."""
    from collector.config import load

    environment = os.environ.get("ORPHANED_CONFIG")
    return load(named or ctx.obj or (Path(environment) if environment else CONFIG_DEFAULT))


_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)?)?")


def instant(text: str, option: str) -> int:
    """`text` (RFC 3339; a date alone is midnight, without a zone it is UTC) as microseconds since 1970.

    Raises UsageError for anything else.
    """
    try:
        moment = datetime.fromisoformat(text.upper() if _INSTANT.fullmatch(text) else "")
        return instant_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        expected = "RFC 3339, like 2026-11-20T09:14:07Z, or a date, like 2026-11-20"
        raise UsageError(f"{option}: {text!r} is no instant; expected {expected}") from None


def _instant_or_none(text: str | None, option: str) -> int | None:
    return None if text is None else instant(text, option)


# run ------------------------------------------------------------------------------------------------------


@app.command()
def run(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One whole pass over all sources, then exit.")] = False,
    metrics_file: Annotated[
        Path | None,
        typer.Option("--metrics-file", metavar="FILE", help="With --once: the metrics, by atomic rename."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="With --once: the run's now; default: the clock."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Read the sources, match, price and commit: as a daemon that serves metrics, or once."""
    if not once and (metrics_file or as_of):
        raise UsageError("--metrics-file and --as-of go with --once: the daemon serves metrics, and its now is now")
    now_us = _instant_or_none(as_of, "--as-of")
    found = _config(ctx, config)
    from collector import running

    if not once:
        raise typer.Exit(running.serve_always(found))
    lost = running.run_one_pass(found, now_us=now_us, metrics_file=metrics_file, say=_say)
    raise typer.Exit(FAILED if lost else DONE)


# check, status --------------------------------------------------------------------------------------------


@app.command()
def check(ctx: typer.Context, config: ConfigOption = None) -> None:
    """Validate the config, try every source, and say all that is wrong at once; nothing is written."""
    found = _config(ctx, config)
    from collector.check import findings
    from collector.daemon import wall_clock_us

    told = list(findings(found, now_us=wall_clock_us()))
    for one in told:
        typer.echo(f"{one.level:<8}{one.place}: {one.message}")
    levels = [one.level for one in told]
    typer.echo(f"Errors: {levels.count('error')}, warnings: {levels.count('warning')}")
    raise typer.Exit(FAILED if "error" in levels else DONE)


@app.command()
def status(
    ctx: typer.Context,
    layout: LayoutOption = TextFormat.text,
    config: ConfigOption = None,
) -> None:
    """The sources, their watermarks and lags, the problems, the bill, the last runs."""
    from collector.daemon import wall_clock_us
    from collector.exporters import status as standing
    from collector.ledger.summary import summarise
    from collector.pipeline import reading

    found, now_us = _config(ctx, config), wall_clock_us()
    path = found.ledger_path
    with reading(found) as (connection, values):
        summary = summarise(connection, values)
        told = standing.document(
            summary, connection, ledger_path=str(path), ledger_bytes=path.stat().st_size, now_us=now_us
        )
    _print(_json_text(told) if layout is TextFormat.json else standing.text(summary, told, now_us))


def _json_text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _print(text: str) -> None:
    """Text on standard output, whatever its encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


# export, explain, metrics -----------------------------------------------------------------------------------


@app.command()
def export(  # noqa: PLR0917 - typer binds them by name
    ctx: typer.Context,
    table: Annotated[TableName, typer.Argument(help="Which table.")],
    layout: Annotated[TableFormat, typer.Option("--format", help="How it is written.")] = TableFormat.csv,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Rows from this instant on (RFC 3339).")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Rows before this instant.")] = None,
    output: OutputOption = None,
    as_of: AsOfOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the verdicts, the reconciliation with the bill, the problems, policies beside data, retries or jobs."""
    from collector.costing import contradictions
    from collector.exporters import tables
    from collector.exporters.bars import bars
    from collector.pipeline import reading

    if table is TableName.policies and (start or end):
        raise UsageError("export policies: it is about the last 30 days; --as-of says up to when, not --from or --to")
    from_us, to_us = _instant_or_none(start, "--from"), _instant_or_none(end, "--to")
    known_us = _instant_or_none(as_of, "--as-of")
    span = tables.Span(0 if from_us is None else from_us, tables.ENDLESS_US if to_us is None else to_us)
    found = _config(ctx, config)
    with (
        bars(f"writing {table.value}") as show,
        reading(found, as_of_us=known_us) as (connection, values),
        _sink(output, binary=layout is TableFormat.parquet) as sink,
    ):
        if table is TableName.policies:
            contradictions.find(connection, values, found.policies)
        tables.write(table.value, connection, sink, layout=layout.value, span=span, show=show.count)


@contextmanager
def _sink(output: Path | None, *, binary: bool) -> Iterator[BinaryIO]:
    """Where an export goes: standard output, or a file that is there whole or not at all."""
    from collector.exporters.tables import replacing

    if output is not None and str(output) != "-":
        with replacing(output) as file:
            yield file
        return
    if binary and sys.stdout.isatty():
        raise UsageError("Parquet is nothing for a terminal: name a file with --output, or redirect standard output")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@app.command()
def explain(
    ctx: typer.Context,
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="A call, request, response, completion, insert or trace id, or a job.")
    ],
    layout: LayoutOption = TextFormat.text,
    config: ConfigOption = None,
) -> None:
    """The life of one call: who logged what, how it was matched, what it cost and why."""
    from collector.exporters import explain as life
    from collector.exporters.telling import told
    from collector.pipeline import reading
    from collector.sources.lookback import line_text

    found = _config(ctx, config)
    with reading(found) as (connection, values):
        documents = life.explained(
            connection, wanted, values, lambda path, line_no: line_text(found.root / path, line_no)
        )
    if not documents:
        raise UsageError(
            f"{wanted}: the ledger knows no call and no completion by this id. Give a call_id, request_id, "
            "response_id, completion_id, insertId or trace id as a log has it; `orphaned export verdicts` "
            "has those of all aborts"
        )
    if layout is TextFormat.json:
        _print(_json_text({"id": wanted, "attempts": documents}))
    else:
        _print(told(documents, wanted))


@app.command()
def metrics(ctx: typer.Context, as_of: AsOfOption = None, config: ConfigOption = None) -> None:
    """The exposition for Prometheus, once, on standard output."""
    from collector.exporters.metrics import encode_text
    from collector.pipeline import latest

    known_us = _instant_or_none(as_of, "--as-of")
    _print(encode_text(latest(_config(ctx, config), as_of_us=known_us)).decode())


# demo -------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave the demo's files and ledger there.")
    ] = None,
    leave: Annotated[bool, typer.Option("--exit", help="Do not serve: print what was found, and exit.")] = False,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to serve metrics and report.")
    ] = "127.0.0.1:9747",
) -> None:
    """A day of real traffic shapes with aborts, through the real pipeline: what was found, then serves."""
    from collector.demo import demo as play

    raise typer.Exit(play(keep=keep, serve=not leave, listen=listen))
