"""`python -m orphaned_inference`: the program runs as it would without it."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from orphaned_inference.__main__ import parse
from tests.client import programs
from tests.client.logs import only, pairs
from tests.client.server import Service

TELLS = """
import json, os, sys
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv, "name": __name__, "file": main.__file__, "spec": repr(main.__spec__), "path": sys.path,
    "doc": main.__doc__, "utf8": sys.flags.utf8_mode, "dev": sys.flags.dev_mode, "optimize": sys.flags.optimize,
    "meta": "orphaned_inference" in sys.modules,
}))
"""


def told(program: Sequence[str], cwd: Path, log: Path | None) -> dict[str, object]:
    """What a program tells about itself."""
    stdout = re.sub(r" at 0x[0-9a-f]+", "", programs.run(program, log, cwd=cwd).stdout)
    found: dict[str, object] = json.loads(stdout)
    return found


@pytest.mark.parametrize("program", [["tells.py", "--log", "x", "-m"], ["-m", "tells", "a"]], ids=["script", "module"])
def test_program_sees_itself_as_ever(program: list[str], tmp_path: Path) -> None:
    """Arguments, path, names: nothing tells the program that it is watched, but that the package is loaded."""
    (tmp_path / "tells.py").write_text(TELLS, encoding="utf-8")
    watched = told(program, tmp_path, tmp_path / "calls.jsonl")
    plain = told(program, tmp_path, None)
    assert watched.pop("meta") is True
    assert plain.pop("meta") is False
    assert watched == plain


def test_options_of_the_interpreter(tmp_path: Path) -> None:
    """-X, -O and the like before the -m reach the program."""
    (tmp_path / "tells.py").write_text(TELLS, encoding="utf-8")
    command = [sys.executable, "-O", "-X", "dev", "-Xutf8", "-m", "orphaned_inference", "tells.py"]
    end = programs.finish(programs.launch(command, tmp_path))
    found = json.loads(end.stdout)
    assert (found["optimize"], found["dev"], found["utf8"]) == (1, True, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("raise SystemExit(42)", 42),
        ("raise SystemExit('words')", 1),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", -2),
        ("import os; os._exit(9)", 9),
        ("import os; os.abort()", -6),
        ("this is no Python", 1),
        ("print('done')", 0),
    ],
)
def test_exit_codes_and_tracebacks(text: str, code: int, tmp_path: Path) -> None:
    """Exit code and both outputs are, to the letter, those of a plain run."""
    (tmp_path / "program.py").write_text(f"import httpx\n{text}\n", encoding="utf-8")
    watched = programs.run(["program.py"], tmp_path / "calls.jsonl", cwd=tmp_path)
    assert watched == programs.run(["program.py"], cwd=tmp_path)
    assert watched.code == code


def test_missing_script(tmp_path: Path) -> None:
    """A script that is not there is python's own error."""
    watched = programs.run(["missing.py"], tmp_path / "calls.jsonl", cwd=tmp_path)
    assert watched == programs.run(["missing.py"], cwd=tmp_path)


def test_sitecustomize_of_the_host(tmp_path: Path) -> None:
    """A sitecustomize of the host's own is imported as ever, and so is what stands on its PYTHONPATH."""
    (tmp_path / "sitecustomize.py").write_text("print('site of the host')\n", encoding="utf-8")
    (tmp_path / "program.py").write_text("import sitecustomize; print(sitecustomize.__file__)\n", encoding="utf-8")
    path = os.pathsep.join([str(programs.SOURCE), str(tmp_path)])
    command = [sys.executable, "-m", "orphaned_inference", "program.py"]
    end = programs.finish(programs.launch(command, tmp_path, PYTHONPATH=path))
    # Once before -m, as for any python, and once before the program.
    assert end.stdout == f"site of the host\nsite of the host\n{tmp_path / 'sitecustomize.py'}\n"


def test_environment_names_log_and_service(service: Service, tmp_path: Path) -> None:
    """The two variables do what the two options do; the options win."""
    script = tmp_path / "calls.py"
    script.write_text(
        "import sys, httpx\nhttpx.post(sys.argv[1] + '/v1/chat/completions', json={'model': 'quick'})\n",
        encoding="utf-8",
    )
    env = {"ORPHANED_INFERENCE_LOG": str(tmp_path / "a.jsonl"), "ORPHANED_INFERENCE_SERVICE": "shop"}
    command = [sys.executable, "-m", "orphaned_inference"]
    assert programs.finish(programs.launch([*command, str(script), service.url], tmp_path, **env)).code == 0
    assert only(tmp_path / "a.jsonl").started["service"] == "shop"
    log, name = ["--log", str(tmp_path / "b.jsonl")], ["--service=desk"]
    programs.finish(programs.launch([*command, *log, *name, str(script), service.url], tmp_path, **env))
    assert only(tmp_path / "b.jsonl").started["service"] == "desk"
    programs.finish(programs.launch([*command, *log, str(script), service.url], tmp_path))
    assert pairs(tmp_path / "b.jsonl")[1].started["service"] == "calls"


def test_standard_output_as_log(service: Service, tmp_path: Path) -> None:
    """`--log -` prints the lines, for platforms that collect what a container prints."""
    script = tmp_path / "calls.py"
    script.write_text(
        "import sys, httpx\nhttpx.post(sys.argv[1] + '/v1/chat/completions', json={'model': 'quick'})\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "orphaned_inference", "--log", "-", str(script), service.url]
    found = [json.loads(line) for line in programs.finish(programs.launch(command, tmp_path)).stdout.splitlines()]
    assert [line["event"] for line in found] == ["started", "ended"]


def test_own_routes(service: Service, tmp_path: Path) -> None:
    """Paths that are nobody's are watched where the user says what they are."""
    script, routes = tmp_path / "calls.py", tmp_path / "routes.json"
    script.write_text("import sys, httpx\nhttpx.post(sys.argv[1] + '/ask', json={'model': 'm'})\n", encoding="utf-8")
    routes.write_text(json.dumps([{"match": "^/ask$", "provider": "acme", "account": "a", "operation": "chat"}]))
    command = [sys.executable, "-m", "orphaned_inference", "--log", "calls.jsonl", "--routes", str(routes)]
    assert programs.finish(programs.launch([*command, str(script), service.url], tmp_path)).code == 0
    started = only(tmp_path / "calls.jsonl").started
    assert (started["provider"], started["account"], started["model"]) == ("acme", "a", "m")


@pytest.mark.parametrize(
    "arguments", [[], ["--log"], ["--log", "x"], ["--what", "x", "script.py"]], ids=["none", "log", "no script", "what"]
)
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line is exit code 2, with the usage."""
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "usage: python -m orphaned_inference" in capsys.readouterr().err


def test_isolated_interpreter_is_refused(tmp_path: Path) -> None:
    """Under -E or -S the watch cannot be carried over: said, not skipped in silence."""
    (tmp_path / "orphaned_inference").symlink_to(programs.SOURCE / "orphaned_inference")
    end = programs.finish(programs.launch([sys.executable, "-E", "-m", "orphaned_inference", "x.py"], tmp_path))
    assert end.code == 2
    assert "watch()" in end.stderr
