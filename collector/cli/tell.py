"""The commands that tell what is known: export, explain, metrics."""

from enum import StrEnum
from typing import Annotated

import typer

from collector.cli.options import (
    AsOfOption,
    ConfigOption,
    LayoutOption,
    OutputOption,
    TextFormat,
    config_of,
    instant_or_none,
    json_text,
    put,
    sink_of,
)
from collector.problems import UsageError


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
    from_us, to_us = instant_or_none(start, "--from"), instant_or_none(end, "--to")
    known_us = instant_or_none(as_of, "--as-of")
    span = tables.Span(0 if from_us is None else from_us, tables.ENDLESS_US if to_us is None else to_us)
    found = config_of(ctx, config)
    with (
        bars(f"writing {table.value}") as show,
        reading(found, as_of_us=known_us) as (connection, values),
        sink_of(output, binary=layout is TableFormat.parquet) as sink,
    ):
        if table is TableName.policies:
            contradictions.find(connection, values, found.policies)
        tables.write(table.value, connection, sink, layout=layout.value, span=span, show=show.count)


def explain(
    ctx: typer.Context,
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A call, request, response, completion, insert or trace id, or a job's name."
        ),
    ],
    layout: LayoutOption = TextFormat.text,
    config: ConfigOption = None,
) -> None:
    """The life of one call: who logged what, how it was matched, what it cost and why."""
    from collector.exporters import explain as life
    from collector.exporters.telling import told
    from collector.pipeline import reading
    from collector.sources.lookback import line_text

    found = config_of(ctx, config)
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
        put(json_text({"id": wanted, "attempts": documents}))
    else:
        put(told(documents, wanted))


def metrics(ctx: typer.Context, as_of: AsOfOption = None, config: ConfigOption = None) -> None:
    """The exposition for Prometheus, once, on standard output."""
    from collector.exporters.metrics import encode_text
    from collector.pipeline import latest

    known_us = instant_or_none(as_of, "--as-of")
    put(encode_text(latest(config_of(ctx, config), as_of_us=known_us)).decode())
