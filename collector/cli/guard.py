"""What a command raises becomes one line on standard error and an exit code.

0 done, 1 something outside failed (said which), 2 bad usage or config, 3 a broken invariant. With the daemon this is
the only place that catches whatever comes.
"""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from collector.problems import BrokenInvariantError, OperatingError, UsageError

DONE, FAILED, MISUSED, BROKEN = 0, 1, 2, 3
_ENGINE_TROUBLES = frozenset({"IOException", "OutOfMemoryException"})  # of DuckDB: disk, memory


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
            say(str(error))
            raise typer.Exit(MISUSED) from None
        except BrokenInvariantError as error:
            say(str(error))
            raise typer.Exit(BROKEN) from None
        except OperatingError as error:
            say(str(error))
            raise typer.Exit(FAILED) from None
        except (typer.Exit, typer.Abort):
            raise
        except OSError as error:
            say(f"{error.filename or 'the system'}: {error.strerror or error}")
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if type(error).__module__.startswith(("typer", "click")):
                raise  # what the parser says about the arguments, it says itself
            if type(error).__name__ in _ENGINE_TROUBLES:
                say(f"the ledger's engine: {_first_line(error)}")
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
    say(
        f"unforeseen: {type(error).__name__}: {_first_line(error)}. This is a defect of "
        "orphaned-inference: please report it, with what ORPHANED_DEBUG=1 adds to this"
    )


def say(text: str) -> None:
    """One message (or several lines of them) on standard error."""
    typer.echo(text, err=True)
