"""The commands that write for other programs and for people who were not there: journal, backfill, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.guard import DONE, FAILED, say
from collector.cli.options import AsOfOption, ConfigOption, OutputOption, config_of, instant_or_none, sink_of
from collector.problems import UsageError

if TYPE_CHECKING:
    from collector.reporting import Sent


def journal(
    ctx: typer.Context, output: OutputOption = None, as_of: AsOfOption = None, config: ConfigOption = None
) -> None:
    """The settled accounts as a Beancount journal that `bean-check` accepts."""
    from collector.exporters import journal as books
    from collector.exporters.bars import bars
    from collector.pipeline import reading

    known_us = instant_or_none(as_of, "--as-of")
    found = config_of(ctx, config)
    with (
        bars("writing the journal") as show,
        reading(found, as_of_us=known_us) as (connection, values),
        sink_of(output, binary=False) as sink,
    ):
        books.write(connection, values, sink, show=show.count)


def backfill(  # noqa: PLR0917 - typer binds them by name
    ctx: typer.Context,
    output: OutputOption = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Samples from this instant on.")] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Samples before this instant; never the last 3 hours.")
    ] = None,
    step: Annotated[str, typer.Option("--step", metavar="DURATION", help="How far samples lie apart.")] = "5m",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=VALUE", help="A label of the scrape, such as job=...; may be repeated."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """The counters' past as OpenMetrics, for `promtool tsdb create-blocks-from openmetrics`."""
    from collector.config.values import duration_us
    from collector.daemon import wall_clock_us
    from collector.exporters import backfill as past
    from collector.exporters.bars import bars
    from collector.pipeline import reading

    from_us, to_us = instant_or_none(start, "--from"), instant_or_none(end, "--to")
    try:
        step_us = duration_us(step)
    except ValueError as error:
        raise UsageError(f"--step: {error}") from None
    instants = past.grid(now_us=wall_clock_us(), step_us=step_us, from_us=from_us, to_us=to_us)
    besides = past.labels_besides(label or ())
    found = config_of(ctx, config)
    with (
        bars("writing the past") as show,
        reading(found) as (connection, _),
        sink_of(output, binary=False) as sink,
    ):
        samples = past.write(connection, sink, instants, besides=besides, show=show.count)
    if not samples:
        say("there is nothing to load: the ledger knows nothing of before the last three hours (or of that span)")


def report(  # noqa: PLR0917 - typer binds them by name
    ctx: typer.Context,
    week: Annotated[
        str | None, typer.Option("--week", metavar="2026-W47", help="Which ISO week; default: the newest whole one.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Where to; default: the current directory.")
    ] = None,
    as_of: AsOfOption = None,
    deliver: Annotated[
        bool, typer.Option("--deliver", help="Send it to those of the config's targets that lack it, instead.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """The weekly cost report: report.html, report.pdf and orphaned-spend.csv; or its delivery."""
    from collector import reporting
    from collector.daemon import wall_clock_us
    from collector.report import page, weeks

    wanted, known_us = None if week is None else weeks.named(week), instant_or_none(as_of, "--as-of")
    if deliver and (output or as_of):
        raise UsageError("--deliver sends what is known now to the config's targets; it goes without --output, --as-of")
    found = config_of(ctx, config)
    if deliver:
        raise typer.Exit(_delivered(reporting.deliver(found, now_us=wall_clock_us(), week=wanted)))
    drawn = reporting.drawn(found, week=wanted, as_of_us=known_us)
    say(page.title(drawn.figures))
    for path in drawn.write(output or Path()):
        say(f"  {path}")


def _delivered(sent: "Sent | None") -> int:
    """What became of the deliveries, on standard error; the exit code."""
    if sent is None:
        say("Nothing to deliver: every target has the newest report that is due")
        return DONE
    for one in sent.outcomes:
        say(f"{sent.week.name}: {one.target}: {one.error or 'delivered'}")
    return FAILED if sent.failed else DONE
