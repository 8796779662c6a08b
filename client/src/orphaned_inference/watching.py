"""Switches the watch on: settings come from arguments or the environment; hooks and signals are set up once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from orphaned_inference import aiohttp_hook, calls, deadlines, httpx_hook, urllib3_hook
from orphaned_inference.calls import STATE, Watch
from orphaned_inference.importing import follow
from orphaned_inference.journal import Journal
from orphaned_inference.leaving import watch_leaving
from orphaned_inference.quiet import quietly
from orphaned_inference.routes import Route

LOG, SERVICE, ROUTES = "ORPHANED_INFERENCE_LOG", "ORPHANED_INFERENCE_SERVICE", "ORPHANED_INFERENCE_ROUTES"
DEFAULT_LOG = "orphaned-inference.jsonl"
# requests and botocore send through urllib3, and are watched there.
HOOKS = {
    "httpx": httpx_hook.hook,
    "httpx2": httpx_hook.hook,
    "aiohttp": aiohttp_hook.hook,
    "urllib3": urllib3_hook.hook,
    "asyncio": deadlines.hook,
}


@quietly
def watch(
    log: str | os.PathLike[str] | None = None,
    service: str | None = None,
    routes: Iterable[Mapping[str, str] | Route] = (),
) -> None:
    """Record the inference calls of this process from now on.

    `log`: the file to append to, `-` for standard output; default $ORPHANED_INFERENCE_LOG, else
    `orphaned-inference.jsonl`. `service`: default $ORPHANED_INFERENCE_SERVICE, else the program's name.
    `routes`: paths of the user's own, like the collector's: `{"match": "^/chat$", "provider": "acme"}`; more are
    read from the JSON file $ORPHANED_INFERENCE_ROUTES. Called again, it changes these. Never raises.
    """
    own = tuple(_routes(routes)) + tuple(_routes(_routes_of_environment()))
    path = os.fspath(log) if log is not None else os.environ.get(LOG) or DEFAULT_LOG
    STATE.watch = Watch(Journal(path), service or os.environ.get(SERVICE) or None, own)
    calls._place.cache_clear()  # noqa: SLF001 - routes may have changed
    if not STATE.is_hooked:
        STATE.is_hooked = True
        watch_leaving()
        follow(HOOKS)


def _routes(routes: Iterable[Mapping[str, str] | Route]) -> Iterable[Route]:
    return (route if isinstance(route, Route) else Route(**route) for route in routes)


@quietly
def _read_routes(path: str) -> list[Any]:
    with open(path, encoding="utf-8") as file:
        return list(json.load(file))


def _routes_of_environment() -> list[Any]:
    path = os.environ.get(ROUTES)
    return (_read_routes(path) or []) if path else []
