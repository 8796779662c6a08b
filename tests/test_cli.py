"""The command `orphaned`: what it prints where, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector import cli
from collector.cli.options import instant
from collector.cli.tell import TableName
from collector.problems import BrokenInvariantError, LedgerBusyError, UsageError
from tests.world import World, WorldSpec, build

AS_OF = "2026-11-23T05:00:00Z"
LATER = "2026-11-23T06:00:00Z"
COMMANDS = [
    "run", "check", "status", "export", "explain", "metrics", "journal", "backfill", "report", "demo", "probe"
]  # fmt: skip


def orphaned(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    """One call of the command, in this process."""
    return CliRunner().invoke(cli.app, [str(one) for one in arguments], env=env, prog_name="orphaned")


@pytest.fixture(scope="module")
def world() -> World:
    """A rough world."""
    return build(WorldSpec.rough(seed=2, calls=120))


@pytest.fixture
def config(world: World, tmp_path: Path) -> Path:
    """Its files and config, not yet read."""
    return world.write(tmp_path)


@pytest.fixture(scope="module")
def read(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config of the same world, read once; not to be changed."""
    path = world.write(tmp_path_factory.mktemp("read"))
    assert orphaned("run", "--once", "--config", path, "--as-of", AS_OF).exit_code == 0
    return path


def test_help_lists_what_is_there() -> None:
    """--help names every command, and no other."""
    listed = re.findall(r"^│ ([a-z]+) ", orphaned("--help").stdout, re.MULTILINE)
    assert listed == COMMANDS


def test_starts_light() -> None:
    """The command line alone imports none of the heavy libraries."""
    heavy = (
        "altair vl_convert weasyprint duckdb pandas pyarrow numpy apscheduler prometheus_client pydantic google "
        "genai_prices"
    )
    code = f"import sys, collector.cli; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_run_once_speaks_on_standard_error(config: Path) -> None:
    """A pass prints its summary on standard error, and nothing on standard output."""
    done = orphaned("run", "--once", "--config", config, "--as-of", AS_OF)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert re.search(r"Orphaned spend, last 30 days: USD \S+ \(between \S+ and \S+\)", done.stderr)
    assert "Orphaned spend, last 30 days: EUR" in done.stderr
    assert "orphaned export problems" in done.stderr


def test_config_comes_from_anywhere(read: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--config before or after the command, $ORPHANED_CONFIG and ./orphaned.yaml all name the config."""
    wanted = orphaned("export", "problems", "--config", read).stdout
    assert wanted.startswith("source,kind,place,message,seen_at,excerpt\n")
    assert orphaned("--config", read, "export", "problems").stdout == wanted
    assert orphaned("export", "problems", env={"ORPHANED_CONFIG": str(read)}).stdout == wanted
    monkeypatch.chdir(read.parent)
    assert orphaned("export", "problems").stdout == wanted


def test_all_config_errors_at_once(tmp_path: Path) -> None:
    """Every mistake of a config is a line with its place, and the exit code is 2."""
    path = tmp_path / "orphaned.yaml"
    path.write_text("ledgr: {}\ncurrency: usd\nsources:\n  - {name: a, kind: nginxx, path: x}\n", encoding="utf-8")
    for command in (
        ["run", "--once"],
        ["check"],
        ["status"],
        ["metrics"],
        ["export", "verdicts"],
        ["explain", "x"],
    ):
        done = orphaned(*command, "--config", path)
        assert done.exit_code == 2
        assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{path}:{no}" for no in (1, 2, 4)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--once", "--as-of", "yesterday"], "--as-of: 'yesterday' is no instant"),
        (["run", "--as-of", AS_OF], "go with --once"),
        (["run", "--metrics-file", "x"], "go with --once"),
        (["export", "verdicts", "--from", "2026-11-31"], "--from: '2026-11-31' is no instant"),
        (["export", "verdicts", "--to", "2026-W47"], "--to: '2026-W47' is no instant"),
        (["explain", "no-such-id"], "no-such-id: the ledger knows no call"),
        (["report", "--week", "2026-47"], "--week: '2026-47' is no week"),
        (["report", "--deliver"], "names nowhere to deliver to"),
        (["report", "--deliver", "--as-of", AS_OF], "it goes without --output, --as-of"),
        (["export", "nothing"], "nothing"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_usage(read: Path, arguments: list[str], said: str) -> None:
    """Bad usage ends with 2, says what is wrong, and prints nothing on standard output."""
    done = orphaned("--config", read, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01T00:00:01", 1_000_000),
        ("1970-01-01 01:00:00.000001+01:00", 1),
        ("1970-01-01T00:00:00.123456Z", 123_456),
    ],
)
def test_instants(text: str, at_us: int) -> None:
    """RFC 3339, a date alone (midnight) and a time without a zone (UTC) are instants."""
    assert instant(text, "--from") == at_us


@pytest.mark.parametrize("text", ["", "now", "1970", "1970-1-1", "19700101", "1970-01-01T00", "1970-01-01T25:00:00Z"])
def test_no_instants(text: str) -> None:
    """Whatever else Python would take for a time is refused."""
    with pytest.raises(UsageError, match="is no instant"):
        instant(text, "--from")


def test_a_second_pass_changes_nothing(config: Path) -> None:
    """The same inputs read again give the same tables; an earlier now is refused with 2."""
    assert orphaned("run", "--once", "--config", config, "--as-of", AS_OF).exit_code == 0
    tables = [orphaned("export", name, "--config", config).stdout for name in TableName]
    assert orphaned("run", "--once", "--config", config, "--as-of", LATER).exit_code == 0
    assert [orphaned("export", name, "--config", config).stdout for name in TableName] == tables
    early = orphaned("run", "--once", "--config", config, "--as-of", AS_OF)
    assert early.exit_code == 2
    assert "lies before the last run" in early.stderr


def test_metrics_file(config: Path) -> None:
    """--metrics-file gets our families alone, as `metrics` prints them; where it cannot be written: 1."""
    path = config.parent / "orphaned.prom"
    done = orphaned("run", "--once", "--config", config, "--as-of", AS_OF, "--metrics-file", path)
    assert done.exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert all(re.match(r"(# (HELP|TYPE) )?orphaned_inference_", line) for line in text.splitlines())
    assert orphaned("metrics", "--config", config).stdout == text
    nowhere = config.parent / "nowhere" / "x.prom"
    done = orphaned("run", "--once", "--config", config, "--as-of", LATER, "--metrics-file", nowhere)
    assert done.exit_code == 1
    assert f"{nowhere}: cannot be written" in done.stderr


def test_a_source_that_cannot_be_read(config: Path) -> None:
    """One bad file among good ones fails nothing; a source without one ends with 1, the rest committed."""
    (config.parent / "client" / "broken.jsonl").symlink_to("nowhere")
    assert orphaned("run", "--once", "--config", config, "--as-of", AS_OF).exit_code == 0
    text = config.read_text(encoding="utf-8").replace("client/*.jsonl", "client/broken.jsonl")
    config.write_text(text.replace("ledger.duckdb", "other.duckdb"), encoding="utf-8")
    done = orphaned("run", "--once", "--config", config, "--as-of", AS_OF)
    assert done.exit_code == 1
    assert "source app could not be read: client/broken.jsonl" in done.stderr
    assert orphaned("export", "reconciliation", "--config", config).stdout.count("\n") > 1


def test_no_ledger_yet(config: Path) -> None:
    """Commands that look at a ledger that is not there say how to make one, and make none."""
    for command in (["status"], ["metrics"], ["export", "verdicts"], ["explain", "x"]):
        done = orphaned(*command, "--config", config)
        assert done.exit_code == 2
        assert "orphaned run --once" in done.stderr
    assert not (config.parent / "ledger.duckdb").exists()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("do it otherwise"), 2, "do it otherwise\n"),
        (LedgerBusyError("held by process 7"), 1, "held by process 7\n"),
        (BrokenInvariantError("the books do not add up"), 3, "the books do not add up\n"),
        (PermissionError(13, "Permission denied", "x.csv"), 1, "x.csv: Permission denied\n"),
        (KeyError("surprise"), 1, "unforeseen: KeyError: 'surprise'. This is a defect"),
    ],
)
def test_errors_and_their_codes(
    config: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, said: str
) -> None:
    """Each kind of error has its exit code and its words, and no traceback."""

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("collector.pipeline.run_once", fails)
    done = orphaned("run", "--once", "--config", config)
    assert done.exit_code == code
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
    debugged = orphaned("run", "--once", "--config", config, env={"ORPHANED_DEBUG": "1"})
    assert ("Traceback" in debugged.stderr) == isinstance(error, KeyError)


def test_check_writes_nothing(config: Path) -> None:
    """Check tries every source, names the places of bad lines, and leaves no ledger behind."""
    done = orphaned("check", "--config", config)
    assert done.exit_code == 0
    assert re.search(r"^ok +source backend: .* are records", done.stdout, re.MULTILINE)
    assert re.search(r"^warning client/\S+\.jsonl:\d+: ", done.stdout, re.MULTILINE)
    assert not (config.parent / "ledger.duckdb").exists()


def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    """No file, an unreadable one, a wrong kind, an unknown SKU, a missing price or log is a finding."""
    (tmp_path / "orphaned.yaml").write_text(
        """
sources:
  - {name: app, kind: client-log, path: "app.jsonl"}
  - {name: none, kind: client-log, path: "none/*.jsonl"}
  - {name: gone, kind: client-log, path: "gone.jsonl"}
  - {name: wrong, kind: client-log, path: "wrong.jsonl"}
  - {name: backend, kind: cloud-logging-file, path: "backend.jsonl", provider: gcp.vertex_ai}
  - {name: twin, kind: cloud-logging-file, path: "backend.jsonl", provider: gcp.vertex_ai}
  - {name: bill, kind: gcp-billing-file, path: "bill.jsonl"}
""",
        encoding="utf-8",
    )
    call = {
        "event": "started",
        "call_id": "c",
        "at": AS_OF,
        "provider": "openai",
        "model": "m",
        "stream": False,
    }
    done = {"timestamp": AS_OF, "insertId": "i", "jsonPayload": {"model": "acme-1", "status": "ok"}}
    line = {
        "service": {"description": "Vertex AI"}, "sku": {"description": "Frobnication"}, "cost": 1,
        "currency": "USD",
        "usage_start_time": "2026-11-20T00:00:00Z", "usage_end_time": "2026-11-20T01:00:00Z",
    }  # fmt: skip
    for name, value in (("app", call), ("backend", done), ("bill", line)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(value) + "\n", encoding="utf-8")
    (tmp_path / "wrong.jsonl").write_text("a plain text log\n", encoding="utf-8")
    (tmp_path / "gone.jsonl").symlink_to("nowhere")
    found = orphaned("check", "--config", tmp_path / "orphaned.yaml")
    assert found.exit_code == 1
    for level, said in (
        ("error", "source none: no file matches none/*.jsonl"),
        ("error", "gone.jsonl: cannot be read: No such file"),
        ("error", "source wrong: 1 file; of the first 1 lines 0 are records, 1 problems"),
        ("warning", "wrong.jsonl:1: not a JSON object"),
        ("warning", 'source bill: 1 lines of Vertex AI with the SKU "Frobnication"'),
        ("warning", "source app: it calls openai, whose completions no source logs"),
        ("warning", "no price is known for acme-1 at gcp.vertex_ai"),
        ("note", "sources backend, twin all log completions of gcp.vertex_ai"),
    ):
        assert re.search(rf"^{level} .*{re.escape(said)}", found.stdout, re.MULTILINE), said
    assert found.stdout.splitlines()[-1].startswith("Errors: 3, ")


def test_status(read: Path, world: World) -> None:
    """Status tells sources, problems, the bill and runs; as JSON every record of the world has its fate."""
    text = orphaned("status", "--config", read).stdout
    for title in ("Sources", "Problems", "Bill settled through", "Last runs"):
        assert f"\n{title}" in text
    told = json.loads(orphaned("status", "--format", "json", "--config", read).stdout)
    assert [run["outcome"] for run in told["runs"]] == ["ok"]
    for source in told["sources"]:
        counts = world.counts(source["source"])
        records = source["records"]
        assert (records["duplicate"], records["ignored"]) == (counts.duplicates, counts.ignored)
        assert records["new"] == counts.records
    assert told["aborts_pending"] == 0
    assert told["ledger"]["bytes"] > 0


def test_export_to_a_file(read: Path, tmp_path: Path) -> None:
    """--output has what standard output has; `-` is standard output; a span leaves rows out."""
    path = tmp_path / "v.json"
    assert orphaned("export", "verdicts", "--format", "json", "--output", path, "--config", read).stdout == ""
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert rows == json.loads(
        orphaned("export", "verdicts", "--format", "json", "--output", "-", "--config", read).stdout
    )
    cut = rows[len(rows) // 2]["started_at"]
    for option, kept in (
        ("--from", [r for r in rows if r["started_at"] >= cut]),
        ("--to", [r for r in rows if r["started_at"] < cut]),
    ):
        done = orphaned("export", "verdicts", "--format", "json", option, cut, "--config", read)
        assert json.loads(done.stdout) == kept
    assert (
        json.loads(orphaned("export", "verdicts", "--format", "json", "--as-of", "2026-01-01", "--config", read).stdout)
        == []
    )


def test_explain(read: Path, world: World) -> None:
    """Explain tells the life of a call, as text and as JSON."""
    abort = next(one for one in world.aborts if one.verdict == "orphaned")
    assert "Verdict: orphaned" in orphaned("explain", abort.call_id, "--config", read).stdout
    told = json.loads(orphaned("explain", abort.call_id, "--format", "json", "--config", read).stdout)
    assert told["id"] == abort.call_id
    assert told["attempts"]


def test_a_closed_pipe_is_no_error(read: Path) -> None:
    """`| head` ends an export quietly."""
    command = f"{sys.executable} -m collector export verdicts --config {read} | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("observer,")


def test_the_daemon_runs_and_stops(config: Path, world: World) -> None:
    """`run` serves and collects until SIGTERM, reads its config again on SIGHUP, and ends with 0."""
    text = config.read_text(encoding="utf-8") + 'http: {listen: "127.0.0.1:0"}\nschedule: {collect: 1s}\n'
    config.write_text(text, encoding="utf-8")
    daemon = subprocess.Popen(
        [sys.executable, "-m", "collector", "run", "--config", config],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert daemon.stderr is not None
    events = []
    for line in daemon.stderr:
        events.append(json.loads(line))
        if events[-1]["event"] == "run":
            break
    daemon.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    daemon.send_signal(signal.SIGTERM)
    out, rest = daemon.communicate(timeout=30)
    events += [json.loads(line) for line in rest.splitlines()]
    names = [event["event"] for event in events]
    assert daemon.returncode == 0
    assert out == ""
    assert names[0] == "listening"
    assert "config read again" in names
    run = next(event for event in events if event["event"] == "run")
    assert (run["outcome"], run["rows_new"]) == (
        "ok",
        sum(world.counts(s).records for s in ("app", "edge", "backend", "bill")),
    )
    assert timedelta(days=2) > timedelta(milliseconds=run["duration_ms"])


def test_demo_is_handed_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Demo passes --keep, --exit and --listen on, and ends as the demo ends."""
    seen: list[object] = []

    def play(*, keep: Path | None, serve: bool, listen: str) -> int:
        seen.append((keep, serve, listen))
        return 0

    monkeypatch.setattr("collector.demo.demo", play)
    assert orphaned("demo", "--exit", "--keep", tmp_path).exit_code == 0
    assert orphaned("demo", "--listen", "127.0.0.1:1").exit_code == 0
    assert seen == [(tmp_path, False, "127.0.0.1:9747"), (None, True, "127.0.0.1:1")]
