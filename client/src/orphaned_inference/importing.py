"""Runs a hook right after a module has been imported, or at once where it is loaded already.

The real finders find the module and the real loader loads it: only that one loader object's `exec_module` is
followed by the hook, once. The module, its spec and its loader look as they always do.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable

from orphaned_inference.quiet import quietly, tell

Hook = Callable[[ModuleType], None]


class _Follower:
    """A finder that finds nothing itself."""

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self.waiting = dict(hooks)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The spec that the other finders give, if `name` is waited for; else None, so that they are asked."""
        hook = self.waiting.get(name)
        if hook is None:
            return None
        spec = self._found(name, path, target)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader, name, hook)
        return spec

    def _found(self, name: str, path: Sequence[str] | None, target: Any) -> ModuleSpec | None:
        """What the finders after this one find. Their exceptions are the host's."""
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                return spec
        return None

    def _follow(self, loader: Any, name: str, hook: Hook) -> None:
        original = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)
            original(module)
            if self.waiting.pop(name, None) is not None:
                hook(module)

        try:
            loader.exec_module = exec_module
        except (AttributeError, TypeError):  # a loader without attributes of its own: this module stays unwatched
            tell()


def follow(hooks: Mapping[str, Hook]) -> None:
    """Have each hook run once with its module: now, or as soon as it has been imported."""
    calm = {name: quietly(hook) for name, hook in hooks.items()}
    loaded = {name: sys.modules[name] for name in calm if name in sys.modules}
    sys.meta_path.insert(0, _Follower({name: hook for name, hook in calm.items() if name not in loaded}))
    for name, module in loaded.items():
        calm[name](module)
