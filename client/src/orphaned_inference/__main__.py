"""`python -m orphaned_inference [options] script.py args...`: an unmodified program, under watch.

The options go into the environment, and this process becomes `python script.py args...` by exec, with one
directory in front of PYTHONPATH whose sitecustomize switches the watch on. So everything about the program is as
ever: its arguments, exit code, signals, tracebacks. Python programs that it starts are watched as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

USAGE = """\
usage: python -m orphaned_inference [--log FILE] [--service NAME] [--routes FILE] script.py [args ...]
       python -m orphaned_inference [...] -m module [args ...]

Records the AI inference calls of a Python program: two lines of JSON a call.

  --log FILE      append to FILE, - for standard output ($ORPHANED_INFERENCE_LOG; orphaned-inference.jsonl)
  --service NAME  what the program is called ($ORPHANED_INFERENCE_SERVICE; the script's name)
  --routes FILE   a JSON list of further paths: [{"match": "^/chat$", "provider": "acme"}] ($ORPHANED_INFERENCE_ROUTES)
"""
_VARIABLES = {
    "--log": "ORPHANED_INFERENCE_LOG",
    "--service": "ORPHANED_INFERENCE_SERVICE",
    "--routes": "ORPHANED_INFERENCE_ROUTES",
}
_FILES = frozenset({"--log", "--routes"})
_BAD_USAGE = 2


def parse(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The environment that the options ask for, and the program with its arguments. SystemExit for bad usage."""
    environment: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("--"):
        name, has_value, value = rest.pop(0).partition("=")
        if name == "--help":
            sys.stdout.write(USAGE)
            raise SystemExit(0)
        if name not in _VARIABLES or not (has_value or rest):
            fail(f"unknown option, or one without its value: {name}")
        value = value if has_value else rest.pop(0)
        environment[_VARIABLES[name]] = os.path.abspath(value) if name in _FILES and value != "-" else value
    if rest[:1] == ["-h"]:
        sys.stdout.write(USAGE)
        raise SystemExit(0)
    if not rest:
        fail("no program is named")
    return environment, rest


def fail(message: str) -> None:
    """Say what is wrong with the command line, and exit."""
    sys.stderr.write(f"{USAGE}\nerror: {message}\n")
    raise SystemExit(_BAD_USAGE)


def interpreter_options() -> list[str]:
    """The options that this interpreter was started with, such as -u or -X dev."""
    original = list(getattr(sys, "orig_argv", []))[1:]
    for index, option in enumerate(original):
        if option.startswith("-") and option.endswith("m") and original[index + 1 : index + 2] == [__package__]:
            return original[:index] + ([option[:-1]] if option != "-m" else [])
        if option == f"-m{__package__}":
            return original[:index]
    import subprocess

    return list(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]  # noqa: SLF001


def main() -> None:
    """Become the program."""
    environment, program = parse(sys.argv[1:])
    if sys.flags.ignore_environment or sys.flags.no_site:
        fail("python -E, -I and -S keep the watch out: call orphaned_inference.watch() in the program instead")
    bootstrap = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap")
    before = os.environ.get("PYTHONPATH")
    os.environ.update(environment, PYTHONPATH=os.pathsep.join([bootstrap, before]) if before else bootstrap)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *interpreter_options(), *program])  # noqa: S606 - the user's own


if __name__ == "__main__":
    main()
