"""The command `orphaned probe`: its options. It opens nothing and imports nothing heavy until it is called."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.problems import UsageError

if TYPE_CHECKING:
    from collector.config import Config

ConfigOf = Callable[[typer.Context, Path | None], "Config"]
Say = Callable[[str], None]

_File = Annotated[Path | None, typer.Option(metavar="FILE", help="The JSON body of the calls.")]
_Url = Annotated[str | None, typer.Option(metavar="URL", help="Where a call of this mode goes.")]
_Text = Annotated[str | None, typer.Option(help="As the completion log names it; default: what URL or body say.")]
_Tokens = Annotated[int | None, typer.Option(min=1, help="The most a call can use, where the body does not bound it.")]


def command(config_of: ConfigOf, *, say: Say, show: Say) -> Callable[..., None]:
    """The command, with what it needs of the command line: the config, and where lines go."""

    def probe(  # noqa: PLR0917 - typer binds them by name
        ctx: typer.Context,
        unary: _Url = None,
        stream: _Url = None,
        body: _File = None,
        stream_body: _File = None,
        header: Annotated[
            list[str] | None, typer.Option(help="`Name: value`; secrets as `Name: env:VARIABLE`.")
        ] = None,
        leave: Annotated[list[str] | None, typer.Option(help="When: 1s, or first+500ms. Default: both.")] = None,
        by: Annotated[list[str] | None, typer.Option(help="How: fin, rst. Default: both.")] = None,
        calls: Annotated[int, typer.Option(min=1, help="Calls for each mode, way and instant.")] = 5,
        controls: Annotated[int, typer.Option(min=1, help="Calls for each mode that nobody leaves.")] = 1,
        alone: Annotated[bool, typer.Option(help="Only the bill can tell, and nobody else uses the model.")] = False,
        max_calls: Annotated[int | None, typer.Option(min=1, help="No more calls than this. Required.")] = None,
        max_cost: Annotated[str | None, typer.Option(help="No more money than this, or `unlimited`. Required.")] = None,
        provider: _Text = None,
        account: _Text = None,
        model: _Text = None,
        input_tokens: _Tokens = None,
        output_tokens: _Tokens = None,
        id_header: Annotated[str, typer.Option(help="The header that carries the call's id.")] = "x-request-id",
        patience: Annotated[str, typer.Option(help="How long an answer is waited for.")] = "5m",
        pause: Annotated[str, typer.Option(help="Between two calls.")] = "1s",
        wait: Annotated[str, typer.Option(help="How long the logs are waited for.")] = "2m",
        output: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the probe is kept.")] = None,
        read: Annotated[Path | None, typer.Option(metavar="DIR", help="Call nobody: read the logs again.")] = None,
        dry_run: Annotated[bool, typer.Option(help="Print the plan and its worst cost, and call nobody.")] = False,
        layout: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
        config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The config.")] = None,
    ) -> None:
        """Find out by experiment whether an endpoint stops when its caller leaves. It spends money."""
        if layout not in {"text", "json"}:
            raise UsageError(f"--format {layout}: expected text or json")
        found = config_of(ctx, config)
        from collector.daemon import wall_clock_us
        from collector.probe import run
        from collector.probe.calling import Pace

        manner = run.Manner(_seconds(wait, "--wait"), layout == "json", wall_clock_us, say, show)
        if read is not None:
            raise typer.Exit(0 if run.again(found, read, manner) else 1)
        pace = Pace(_seconds(patience, "--patience"), _seconds(pause, "--pause"), id_header)
        options = run.Options(
            unary, stream, body, stream_body, header or [], leave or ["1s", "first+500ms"], by or ["fin", "rst"],
            calls, controls, alone, max_calls, max_cost, provider, account, model, input_tokens, output_tokens, pace,
            output,
        )  # fmt: skip
        raise typer.Exit(0 if run.probe(found, options, manner, dry_run=dry_run) else 1)

    return probe


def _seconds(text: str, option: str) -> float:
    from collector.config.values import duration_us

    try:
        return duration_us(text) / 1e6
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
