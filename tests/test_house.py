"""Style rules that are tests: what a linter cannot say about this house."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 400
MODULES = sorted((ROOT / "collector").rglob("*.py"))
STATEMENTS = sorted((ROOT / "collector").rglob("*.sql"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

# These hold the ledger's tables or the macros that the steps use: many statements, and no grain.
SQL_COLLECTIONS = frozenset({"schema.sql", "macros.sql", "as_of.sql", "job_macros.sql"})
# The only modules that may look at the clock, or catch whatever comes: what they call does neither.
EDGES = frozenset({"cli.py", "daemon.py", "__main__.py"})
CLOCKS = frozenset({
    ("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today"),
})  # fmt: skip
SQL = re.compile(
    r"\b(SELECT\s.*\bFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET|CREATE\s+(OR|TABLE|TEMP))\b",
    re.DOTALL,
)

# The names of import-linter's contracts in pyproject.toml.
DOWN = "Imports go down only"
APART = "The collector knows neither its tests nor the client"
TOOLS = "Only the config reads YAML, and only the daemon schedules"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """`path` as a test's id."""
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    """Every function and method in the module at `path`."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def without_docstring(function: Function) -> int:
    """The lines of `function`, but for its docstring: explaining is not complexity."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether `handler` ends by letting the very exception go on."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def sql_code(text: str) -> str:
    """`text` without comments and without what stands in quotes."""
    return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", "", text, flags=re.DOTALL)


def broad_catches(code: str) -> Iterator[int]:
    """The lines of handlers that catch everything and keep it."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ExceptHandler) and not raises_again(node):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {kind.id for kind in caught if isinstance(kind, ast.Name)}
            if node.type is None or names & {"Exception", "BaseException"}:
                yield node.lineno


def clock_readings(code: str) -> Iterator[int]:
    """The lines that ask what time it is."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        if (node.value.id, node.attr) in CLOCKS:
            yield node.lineno


def glued_sql(code: str) -> Iterator[int]:
    """The lines where a statement is built out of pieces of text."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.expr) and any(SQL.search(piece) for piece in pieces(node)):
            yield node.lineno


def pieces(node: ast.expr) -> Iterator[str]:
    """The literal text in `node`, if it builds a string out of parts."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else " x " for part in node.values)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        yield from literal(node.left)
        yield from literal(node.right)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from literal(node.func.value)


def literal(node: ast.expr) -> Iterator[str]:
    """The text that `node` is, if it is a literal one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's verdict on the `collector` in `directory`, by the project's own contracts."""
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--no-cache", "--config", directory / "pyproject.toml"],
        cwd=directory, env={"PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts, to do wrong things to."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "collector", tmp_path / "collector", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_imports_go_down_only(copy: Path) -> None:
    """The package keeps every contract of import-linter."""
    verdict = lint_imports(copy)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract", "guilty"),
    [
        ("money.py", "from collector import records", DOWN, "collector.money -> collector.records"),
        ("ledger/__init__.py", "import collector.config", DOWN, "collector.ledger -> collector.config"),
        (
            "costing/__init__.py",
            "import collector.sources.skus",
            DOWN,
            "collector.costing -> collector.sources",
        ),
        ("newcomer.py", "", DOWN, "collector.newcomer"),
        ("records.py", "import tests.world", APART, "collector.records -> tests"),
        ("sources/__init__.py", "import yaml", TOOLS, "collector.sources -> yaml"),
    ],
)
def test_import_linter_bites(copy: Path, module: str, line: str, contract: str, guilty: str) -> None:
    """A forbidden import, or a module that has no layer, breaks its contract and is named."""
    with (copy / "collector" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    verdict = lint_imports(copy)
    assert verdict.returncode == 1, verdict.stdout + verdict.stderr
    assert f"\n{contract} BROKEN\n" in verdict.stdout
    assert guilty in verdict.stdout.partition("Broken contracts")[2]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_sizes(path: Path) -> None:
    """A module is under 400 lines, and no function above 70."""
    assert len(path.read_text(encoding="utf-8").splitlines()) < MODULE_LINES_MAX
    long = {function.name: without_docstring(function) for function in functions(path)}
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES_MAX} == {}


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_say_their_fact(path: Path) -> None:
    """Every test has a docstring that says the fact it proves."""
    tests = [function for function in functions(path) if function.name.startswith("test_")]
    assert [test.name for test in tests if not ast.get_docstring(test)] == []


@pytest.mark.parametrize("path", STATEMENTS, ids=name_of)
def test_sql_files(path: Path) -> None:
    """A .sql file begins with its grain and holds one statement."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    if path.name not in SQL_COLLECTIONS:
        assert re.match(r"-- One row\b", text), text.partition("\n")[0]
        assert len([part for part in sql_code(text).split(";") if part.strip()]) == 1


@pytest.mark.parametrize("path", [path for path in MODULES if path.name not in EDGES], ids=name_of)
def test_nothing_catches_everything(path: Path) -> None:
    """Below the daemon only named exceptions are caught; cleaning up and raising again is no catch."""
    assert list(broad_catches(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.name not in EDGES], ids=name_of)
def test_nothing_reads_the_clock(path: Path) -> None:
    """`now` is an argument: nobody below the daemon asks what time it is (a stop watch is no clock)."""
    assert list(clock_readings(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_sql_is_glued_together(path: Path) -> None:
    """Statements stand in .sql files: no f-string, `%`, `+` or `.format` builds one."""
    assert list(glued_sql(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("rule", "sin"),
    [
        (broad_catches, "try:\n    x()\nexcept Exception:\n    pass"),
        (broad_catches, "try:\n    x()\nexcept (OSError, BaseException) as error:\n    print(error)"),
        (broad_catches, "try:\n    x()\nexcept:\n    pass"),
        (clock_readings, "import time\nx = time.time()"),
        (clock_readings, "from datetime import datetime\nx = datetime.now(UTC)"),
        (glued_sql, 'x = f"SELECT a FROM {table}"'),
        (glued_sql, 'x = "INSERT INTO {} VALUES (1)".format(table)'),
        (glued_sql, 'x = "SELECT a FROM %s" % table'),
    ],
)
def test_rules_bite(rule: Callable[[str], Iterator[int]], sin: str) -> None:
    """Each rule of this file finds the sin that it is there for."""
    assert len(list(rule(sin))) == 1


def test_cleaning_up_is_no_catch() -> None:
    """A handler that raises again what it caught is let be."""
    assert list(broad_catches("try:\n    x()\nexcept BaseException:\n    undo()\n    raise")) == []
