"""The command `orphaned`: parse, call, exit code.

Arguments come in; machine output goes to standard output, everything else to standard error. With the daemon this
room is the only one that reads the clock. Heavy imports wait until needed.
"""

from pathlib import Path
from typing import Annotated

import typer

from collector.cli.books import backfill, journal, report
from collector.cli.collect import check, run, status
from collector.cli.guard import DONE, Guarded, say
from collector.cli.options import ConfigOption, config_of, put
from collector.cli.tell import explain, export, metrics
from collector.probe.command import command as probe_command

app = typer.Typer(
    cls=Guarded,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Finds what AI inference calls cost that somebody gave up waiting for.",
)


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


for each in (run, check, status, export, explain, metrics, journal, backfill, report, demo):
    app.command()(each)
app.command("probe")(probe_command(config_of, say=say, show=lambda text: put(f"{text}\n")))
