"""The one place that catches everything: what goes wrong in here must not be noticed by the host.

Every step of ours that runs inside a call of the host's goes through `quietly`. Interrupts pass: they are the
host's. With ORPHANED_INFERENCE_DEBUG set, what was swallowed is told on standard error.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from typing import Any, Callable, TypeVar

Result = TypeVar("Result")


def quietly(function: Callable[..., Result]) -> Callable[..., Result | None]:
    """`function`, giving None instead of raising an Exception."""

    @functools.wraps(function)
    def calm(*args: Any, **kwargs: Any) -> Result | None:
        try:
            return function(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, it is ours and not the host's
            tell()
            return None

    return calm


def tell() -> None:
    """Print the exception being handled, if the user asked for it."""
    if os.environ.get("ORPHANED_INFERENCE_DEBUG"):
        traceback.print_exc(file=sys.stderr)
