"""Watches the AI inference calls of a Python program: which it made, and which of them it left before their answer.

`watch()` from inside a program, or `python -m orphaned_inference script.py` around an unmodified one.
`cancel_on_abort(job, cancel=client)` cancels at the provider what can be cancelled there when a wait is interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orphaned_inference.cancelling import cancel_on_abort
    from orphaned_inference.routes import Route
    from orphaned_inference.watching import watch

__all__ = ["Route", "cancel_on_abort", "watch"]


def __getattr__(name: str) -> Any:
    """Each is imported when it is asked for: a program's start pays for what it uses."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    rooms = {"Route": "routes", "cancel_on_abort": "cancelling", "watch": "watching"}
    return getattr(import_module(f"{__name__}.{rooms[name]}"), name)
