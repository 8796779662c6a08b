"""The commands that collect, and those that look at the collecting: run, check, status."""

from pathlib import Path
from typing import Annotated

import typer

from collector.cli.guard import DONE, FAILED, say
from collector.cli.options import (
    ConfigOption,
    LayoutOption,
    TextFormat,
    config_of,
    instant_or_none,
    json_text,
    put,
)
from collector.problems import UsageError


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
    now_us = instant_or_none(as_of, "--as-of")
    found = config_of(ctx, config)
    from collector import running

    if not once:
        raise typer.Exit(running.serve_always(found))
    lost = running.run_one_pass(found, now_us=now_us, metrics_file=metrics_file, say=say)
    raise typer.Exit(FAILED if lost else DONE)


def check(ctx: typer.Context, config: ConfigOption = None) -> None:
    """Validate the config, try every source, and say all that is wrong at once; nothing is written."""
    found = config_of(ctx, config)
    from collector.check import findings
    from collector.daemon import wall_clock_us

    told = list(findings(found, now_us=wall_clock_us()))
    for one in told:
        typer.echo(f"{one.level:<8}{one.place}: {one.message}")
    levels = [one.level for one in told]
    typer.echo(f"Errors: {levels.count('error')}, warnings: {levels.count('warning')}")
    raise typer.Exit(FAILED if "error" in levels else DONE)


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

    found, now_us = config_of(ctx, config), wall_clock_us()
    path = found.ledger_path
    with reading(found) as (connection, values):
        summary = summarise(connection, values)
        told = standing.document(
            summary, connection, ledger_path=str(path), ledger_bytes=path.stat().st_size, now_us=now_us
        )
    put(json_text(told) if layout is TextFormat.json else standing.text(summary, told, now_us))
