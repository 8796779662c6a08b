"""Python imports this before a program that `python -m orphaned_inference` starts: it switches the watch on.

It then makes way: the directory leaves sys.path, and a sitecustomize of the host's own is imported as ever.
"""

import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(_HERE)


def _watch() -> None:
    """Import the package from where it lies, without laying its neighbours open to the program."""
    try:
        if "orphaned_inference" not in sys.modules:
            spec = importlib.util.spec_from_file_location(
                "orphaned_inference", os.path.join(_PACKAGE, "__init__.py"), submodule_search_locations=[_PACKAGE]
            )
            if spec is None or spec.loader is None:
                return
            package = importlib.util.module_from_spec(spec)
            sys.modules["orphaned_inference"] = package
            spec.loader.exec_module(package)
        sys.modules["orphaned_inference"].watch()
    except Exception:
        if os.environ.get("ORPHANED_INFERENCE_DEBUG"):
            raise


def _make_way() -> None:
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or os.curdir) != _HERE]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


_watch()
_make_way()
