"""The commands `orphaned journal` and `orphaned backfill`: what has been settled, and what had been counted.

Arguments come in; a journal or samples go out, to a file that is there whole or not at all, or to standard output.
Nothing is written to the ledger.
"""

from typing import Annotated

import typer

from collector.problems import UsageError
from collector.terminal import AsOfOption, ConfigOption, OutputOption, config_of, instant_or_none, say, sink_at


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
        sink_at(output, binary=False) as sink,
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
        sink_at(output, binary=False) as sink,
    ):
        samples = past.write(connection, sink, instants, besides=besides, show=show.count)
    if not samples:
        say("there is nothing to load: the ledger knows nothing of before the last three hours (or of that span)")
