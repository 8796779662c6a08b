"""What the commands share: their common options, the config, instants, and where output goes.

Arguments as typed come in; a Config, microseconds, or an open sink go out. It knows no command.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from collector.problems import UsageError
from collector.records import instant_us

if TYPE_CHECKING:
    from collector.config import Config

CONFIG_DEFAULT = Path("orphaned.yaml")

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


def say(text: str) -> None:
    """One message (or several lines of them) on standard error."""
    typer.echo(text, err=True)


def config_of(ctx: typer.Context, named: Path | None) -> "Config":
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


def instant_or_none(text: str | None, option: str) -> int | None:
    """The same for an option that may be missing."""
    return None if text is None else instant(text, option)


@contextmanager
def sink_at(output: Path | None, *, binary: bool) -> Iterator[BinaryIO]:
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
