"""`orphaned probe`: budget, secrets, ways of leaving, what it makes of fates, and the policy that comes of it."""

import json
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from collector import cli
from collector.config import load
from collector.costing.contradictions import interval
from collector.costing.policies import Policy, policies_from_toml, toml_from_policy
from collector.probe import billing, measured
from collector.probe.call import call
from collector.probe.judging import Fate, Judged, Looked
from collector.probe.plan import Cell, Mode, Way, cells, instant, steps
from collector.probe.room import About, Made
from collector.probe.shares import findings
from collector.probe.target import header, target, url_of
from collector.probe.used import Used, used
from collector.probe.worst import Budget, Market, bound_of, worst_nano
from collector.problems import UsageError
from tests.helpers import T0_US
from tests.lab import books
from tests.probe_server import Endpoint, endpoint

NOBODY = "http://127.0.0.1:9/v1beta/models/gemini-3.5-flash:generateContent"
BODY = {"contents": [], "generationConfig": {"maxOutputTokens": 100}}
PRICE = {
    "model": "gemini-3.5-flash", "from": date(2026, 1, 1), "currency": "USD", "input_per_mtok": "1",
    "output_per_mtok": "10",
}  # fmt: skip
WORST_NANO = (len(json.dumps(BODY)) + 1000) * 1000 + 100 * 10_000
ABOUT = About("probe-1", T0_US, "gcp.gemini", "acme", "gemini-3.5-flash", None, {"unary": NOBODY, "stream": NOBODY})


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A directory with a config, a body, and a secret in a file."""
    write_config(tmp_path)
    (tmp_path / "body.json").write_text(json.dumps(BODY), encoding="utf-8")
    (tmp_path / "token").write_text("Bearer s3cr3t\n", encoding="utf-8")
    (tmp_path / "log.jsonl").touch()
    return tmp_path


def write_config(room: Path, **more: Any) -> None:
    """A config with a completion log and a price."""
    log = {"name": "log", "kind": "cloud-logging-file", "path": "log.jsonl", "provider": "gcp.gemini"}
    told = {"ledger": {"path": "ledger.duckdb"}, "sources": [log], "prices": [PRICE], **more}
    (room / "orphaned.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")


def arguments(room: Path, *more: str, url: str = NOBODY, budget: Sequence[str] = ("9", "1")) -> list[str]:
    """A probe of one unary cell, with a budget."""
    return [
        "probe", "--config", str(room / "orphaned.yaml"), "--unary", url, "--body", str(room / "body.json"),
        "--max-calls", budget[0], "--max-cost", budget[1], "--leave", "100ms", "--by", "fin", "--pause", "0ms",
        "--wait", "0s", "--calls", "3", "--output", str(room / "probe"), *more,
    ]  # fmt: skip


def orphaned(*typed: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(cli.app, list(typed))


def log_of(room: Path) -> list[dict[str, Any]]:
    """The lines that a probe has written of its calls."""
    return [json.loads(line) for line in (room / "probe" / "calls.jsonl").read_text(encoding="utf-8").splitlines()]


# The budget ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["--max-calls", "--max-cost"])
def test_no_budget_no_probe(missing: str, room: Path) -> None:
    """Calls and money must both be limited by the user: there is no default, and nothing is made before."""
    typed = arguments(room)
    place = typed.index(missing)
    done = orphaned(*typed[:place], *typed[place + 2 :])
    assert done.exit_code == 2
    assert "--max-calls and --max-cost" in done.stderr
    assert not (room / "probe").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prices": [], "sources": 0, "model": "nobody-1"}, "has no price in USD"),
        ({"currency": "EUR", "prices": []}, "has no price in EUR"),
        ({"body": {"contents": []}}, "sets no limit to the output"),
        ({"body": {**BODY, "tools": []}}, "names tools"),
        (
            {"body": {**BODY, "generationConfig": {"maxOutputTokens": "100"}}},
            "maxOutputTokens: expected a whole number",
        ),
    ],
)
def test_what_cannot_be_priced_is_refused(change: dict[str, Any], said: str, room: Path) -> None:
    """Without a price, or a bound of what is used, money cannot be limited: said so; calls alone must be asked for."""
    if "body" in change:
        (room / "body.json").write_text(json.dumps(change["body"]), encoding="utf-8")
    else:
        write_config(room, **{key: change[key] for key in ("prices", "currency") if key in change})
    url = NOBODY.replace("gemini-3.5-flash", change.get("model", "gemini-3.5-flash"))
    done = orphaned(*arguments(room, "--dry-run", url=url))
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    done = orphaned(*arguments(room, "--dry-run", url=url, budget=("9", "unlimited")))
    assert (done.exit_code, "at most an unknown amount" in done.stdout) == (0, True), done.stderr


def test_worst_price_is_arithmetic() -> None:
    """Bytes and a template's tokens at the dearest input price, all candidates' output at the dearest output price."""
    market = Market((), "USD", T0_US)
    body = {"max_tokens": 10, "max_completion_tokens": 50, "n": 3}
    bound = bound_of(body, 2000, input_tokens=None, output_tokens=None)
    assert (bound.input_tokens, bound.output_tokens) == (3000, 150)
    assert bound_of({"tools": []}, 9, input_tokens=7, output_tokens=8).input_tokens == 7
    book = worst_nano(bound, "openai", "gpt-4o", market)
    assert book >= 3000 * 2500 + 150 * 10_000  # 2.50 and 10 USD a million are its list price
    long = bound_of(body, 300_000, input_tokens=None, output_tokens=None)
    per_token = worst_nano(long, "gcp.gemini", "gemini-2.5-pro", market) / 301_000
    assert per_token >= 2500  # above 200,000 tokens the dearer price holds


@given(st.lists(st.integers(0, 10**12), max_size=30), st.integers(1, 20), st.integers(1, 10**13))
def test_a_budget_is_never_exceeded(worst: list[int], calls: int, cost_nano: int) -> None:
    """Whatever is asked of it, what it grants stays within calls and money."""
    budget = Budget(calls, cost_nano)
    granted = [nano for nano in worst if budget.take(nano)]
    assert len(granted) <= calls
    assert sum(granted) == budget.reserved_nano <= cost_nano


@pytest.mark.parametrize("budget", [("3", "1"), ("9", str(3 * WORST_NANO / 10**9)), ("3", "unlimited")])
def test_the_budget_is_a_hard_limit(budget: tuple[str, str], room: Path) -> None:
    """The endpoint gets as many requests as the budget allows at their worst price, and not one more."""
    with endpoint("answers", "holds") as served:
        done = orphaned(*arguments(room, url=served.url, budget=budget))
        assert "budget was used up before call 4 of 4" in done.stdout, done.output
        assert served.wait_for_ends(3) == ["answered", "fin", "fin"]
    assert len(served.requests) == 3


def test_a_guard_that_is_gone_is_missed(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a budget that says yes to all, the fourth call is made: the test above would see it."""

    def generous(budget: Budget, _nano: int | None) -> bool:
        budget.calls += 1
        return True

    monkeypatch.setattr(Budget, "take", generous)
    with endpoint("answers", "holds") as served:
        orphaned(*arguments(room, url=served.url, budget=("3", "1")))
        served.wait_for_ends(4)
    assert len(served.requests) == 4


def test_dry_run_sends_nothing(room: Path) -> None:
    """The plan and its worst cost are printed; nobody is called, and no directory is made."""
    with endpoint("answers") as served:
        done = orphaned(*arguments(room, "--dry-run", url=served.url))
    assert done.exit_code == 0
    assert f"4  calls in all, at most {4 * WORST_NANO / 10**9:.9f}".rstrip("0") in done.stdout
    assert (served.requests, (room / "probe").exists()) == ([], False)


# Secrets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "Authorization: Bearer s3cr3t", "x-api-key: s3cr3t", "X-Goog-Api-Key: s3cr3t", "Cookie: s3cr3t",
        "s3cr3t", "Authorization: env:NOT_THERE", "Authorization: file:/not/there", "X-Odd: env:ODD", "X-No: env:EMPTY",
        "Host: s3cr3t",
    ],
)  # fmt: skip
def test_a_header_that_is_refused_is_not_told(typed: str) -> None:
    """A secret typed as it is, or one that cannot be had, is refused, and no message holds a value."""
    with pytest.raises(UsageError) as refused:
        header(typed, {"ODD": "s3cr3t\r\nX: y", "EMPTY": ""})
    assert "s3cr3t" not in str(refused.value)


def test_headers_come_from_where_they_are_kept(room: Path) -> None:
    """From the environment or a file, with a word before it where that is needed; others as typed."""
    assert header("Authorization: Bearer env:TOKEN", {"TOKEN": "s3cr3t"}) == ("Authorization", "Bearer s3cr3t")
    assert header(f"Authorization: file:{room / 'token'}", {}) == ("Authorization", "Bearer s3cr3t")
    assert header("anthropic-version: 2023-06-01", {}) == ("anthropic-version", "2023-06-01")


@pytest.mark.parametrize(
    "more",
    [
        ["--header", "X-Request-ID: mine"],
        ["--header", "traceparent: 00-1"],
        ["--id-header", "a b"],
        ["--id-header", "Host"],
    ],
)
def test_the_id_is_the_probe_s_own(more: list[str], room: Path) -> None:
    """A header that would stand where the call's id stands is refused, and so is a name that no header may have."""
    done = orphaned(*arguments(room, *more))
    assert (done.exit_code, (room / "probe").exists()) == (2, False)


@pytest.mark.parametrize(
    "url", ["https://a.b/v1?key=s3cr3t", "https://me:s3cr3t@a.b/v1", "ftp://s3cr3t", "s3cr3t", "http://a.b/\x01s3cr3t"]
)
def test_a_url_with_a_secret_is_refused(url: str) -> None:
    """URLs are shown and kept, so none may carry a key."""
    with pytest.raises(UsageError) as refused:
        url_of(url, "--unary")
    assert "s3cr3t" not in str(refused.value)


def test_no_secret_is_kept_when_all_goes_wrong(room: Path) -> None:
    """A call that fails tells its status and nothing that was sent; the control's failure ends the probe."""
    with endpoint("refuses") as served:
        typed = arguments(room, "--header", f"Authorization: file:{room / 'token'}", url=served.url)
        done = orphaned(*typed)
    assert done.exit_code == 1
    assert "control failed (failed, status 401" in done.stdout
    assert (len(served.requests), b"s3cr3t" in served.requests[0]) == (1, True)
    assert "s3cr3t" not in done.output + "".join(map(str, log_of(room)))


# Calls --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, and its key, in one file."""
    place = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", place / "key", "-out", place / "crt"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is missing: the probe's TLS is not tried")
    (place / "both").write_bytes((place / "key").read_bytes() + (place / "crt").read_bytes())
    return place / "both"


@pytest.mark.parametrize("way", get_args(Way))
@pytest.mark.parametrize("leave", ["50ms", "first+50ms"])
@pytest.mark.parametrize("secure", [False, True])
def test_it_leaves_as_it_says(way: Way, leave: str, secure: bool, tls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side sees a FIN or a RST, before the first byte or behind it, with TLS and without."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls)
    mode: Mode = "stream" if "first" in leave else "unary"
    with endpoint("holds midway" if mode == "stream" else "holds", tls=context if secure else None) as served:
        url = served.stream_url if mode == "stream" else served.url
        aimed = target(mode, url_of(url, ""), BODY, [], [])
        seen = call(aimed, {}, Cell(mode, way, instant(leave)), patience_s=10, clock_us=lambda: T0_US)
        assert served.wait_for_ends(1) == [way]
    assert (seen.was_left, seen.is_whole, seen.trouble) == (True, False, "")
    assert seen.bytes_received == (5 if mode == "stream" else 0)


def test_patience_ends(room: Path) -> None:
    """An endpoint that never answers is given up after --patience, and so is the probe."""
    with endpoint("holds") as served:
        done = orphaned(*arguments(room, "--patience", "200ms", url=served.url))
    assert "no whole answer within 0.2 s" in done.stderr
    assert (done.exit_code, len(served.requests)) == (1, 1)


def test_a_broken_endpoint_ends_the_probe(room: Path) -> None:
    """Three failures in a row are enough; a connection that breaks is a failure, and no silence."""
    with endpoint("answers", "drops") as served:
        done = orphaned(*arguments(room, "--calls", "9", url=served.url, budget=("20", "1")))
    assert "3 calls in a row failed" in done.stdout
    assert (done.exit_code, len(served.requests)) == (1, 4)
    assert orphaned(*arguments(room, "--output", str(room / "p"))).exit_code == 1  # nobody listens there


def test_answers_that_come_first_are_no_evidence(room: Path) -> None:
    """A cell whose answers arrive before they can be left is given up after two, and makes no policy."""
    with endpoint("answers") as served:
        done = orphaned(*arguments(room, "--leave", "10s", "--calls", "9", "--format", "json", url=served.url))
    assert len(served.requests) == 1 + 2 * 2  # the control, and two for each instant
    told = json.loads(done.stdout)["modes"][0]
    assert (told["too_late"], told["share"], told["runs_on"]) == (4, None, "unclear")
    assert not (room / "measured-policies.toml").exists()


def test_ctrl_c_ends_it_cleanly(room: Path) -> None:
    """Ctrl-C leaves the call in hand, sends nothing more, tells what is known so far, and ends with 1."""
    with endpoint("answers", "holds") as served:
        typed = arguments(room, "--leave", "20s", "--format", "json", "--wait", "10m", url=served.url)
        command = ["env", "--default-signal=INT", sys.executable, "-m", "collector", *typed]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
            for _ in range(3):  # the control, a call that is left after 100 ms, and one that would wait for 20 s
                assert served.arrived.acquire(timeout=60)
            started.send_signal(signal.SIGINT)
            out, errors = started.communicate(timeout=60)
    told = json.loads(out)
    assert (started.returncode, told["ended"], told["calls"]) == (1, "interrupted", 3), errors
    assert len(served.requests) == 3
    assert log_of(room)[-1]["reason"] == "interrupt"
    assert told["modes"][0]["pending"] == 1


# What it makes of it ------------------------------------------------------------------------------------------


Told = tuple[str, str, Fate]  # how and when a call was left, and what became of it


def left(fate: Fate, count: int, way: str = "fin", at: str = "1s") -> list[Told]:
    """So many calls of that fate."""
    return [(way, at, fate)] * count


def looked(*fates: Told, tokens: int | None = None, control: int = 100) -> Looked:
    """Unary calls with these ways, instants and fates."""
    judged = [
        Judged(Made(f"c{n}", "unary", Cell("unary", "rst" if way == "rst" else "fin", instant(at)), "aborted"), fate,
               "exact", 5_000_000 if fate == "ran on" else None, tokens)
        for n, (way, at, fate) in enumerate(fates)
    ]  # fmt: skip
    return Looked(tuple(judged), 1, (control,), ())


@pytest.mark.parametrize(
    ("fates", "runs_on"),
    [
        (left("ran on", 3), "yes"),
        (left("stopped", 3), "no"),
        (left("ran on", 2), "unclear"),
        (left("ran on", 3) + left("stopped", 3, "fin", "2s"), "disputed"),
        (left("ran on", 3) + left("stopped", 3), "unclear"),
        (left("ran on", 3) + left("no trace", 3), "unclear"),
        (left("stopped", 9) + left("no trace", 3), "no"),
        (left("pending", 3), "unclear"),
        (left("stopped", 3) + left("pending", 9), "unclear"),
        (left("stopped", 9) + left("pending", 1), "no"),
        (left("too late", 9) + left("failed", 9), "unclear"),
    ],
)
def test_what_the_fates_come_to(fates: list[Told], runs_on: str) -> None:
    """Yes or no only where the whole interval says so; what left no trace or is pending may be either."""
    (found,) = findings(looked(*fates))
    assert found.runs_on == runs_on
    count = Counter(fate for _, _, fate in fates)
    undecided = count["no trace"] + count["pending"]
    of_all = count["ran on"] + count["stopped"] + undecided
    if not of_all:
        assert found.whole.bounds is None
        return
    expected = interval(count["ran on"], of_all)[0], interval(count["ran on"] + undecided, of_all)[1]
    assert found.whole.bounds == expected


def test_a_log_that_calls_cut_work_whole_is_doubted() -> None:
    """Work that is logged as whole with half of a control's output makes no policy, and is told."""
    (found,) = findings(looked(*left("ran on", 5), tokens=20))
    assert (found.runs_on, "20 tokens (median) where a control's is 100" in found.doubt) == ("unclear", True)
    (found,) = findings(looked(*left("ran on", 5), tokens=90))
    assert (found.runs_on, found.doubt) == ("yes", "")


def test_controls_come_first_and_cells_in_turn() -> None:
    """One control a mode, then round after round; no unary call is left after a first byte."""
    told = list(steps(cells(["unary", "stream"], ["fin", "rst"], [instant("1s"), instant("first+1s")]), 2))
    assert [step.name for step in told[:2]] == ["unary control", "stream control"]
    first, second = told[2:8], told[8:]
    assert first == second
    assert len({step.name for step in first}) == 6
    with pytest.raises(UsageError, match="no instant for unary"):
        cells(["unary"], ["fin"], [instant("first+1s")])
    with pytest.raises(UsageError, match="no duration"):
        instant("soon")


# The bill -----------------------------------------------------------------------------------------------------


@given(st.data())
def test_the_range_of_the_bill_holds_the_truth(data: st.DataObject) -> None:
    """Whatever ran on, and whatever the others had made when they were stopped: the truth lies within the range."""
    sizes = data.draw(st.lists(st.integers(50, 100), min_size=1, max_size=9))
    parts = [data.draw(st.floats(0, 1)) for _ in sizes]
    on = [data.draw(st.booleans()) for _ in sizes]
    made = (size if runs else int(size * part) for size, part, runs in zip(sizes, parts, on, strict=True))
    low, high = billing.ran_on(sum(made), 50, 100, parts)
    assert 0 <= low <= sum(on) <= high <= len(sizes)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            b'{"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 2}}',
            (5, 9, None),
        ),
        (
            b'{"usageMetadata": {"promptTokenCount": 5}}\n{"candidatesTokenCount": 3}{"candidatesTokenCount": 8}',
            (5, 8, None),
        ),
        (b'data: {"usage": {"prompt_tokens": 5, "completion_tokens":7}}', (5, 7, None)),
        (b'{"input_tokens":5,"cache_read_input_tokens":3,"output_tokens":1}{"output_tokens":7}', (8, 7, None)),
        (b'{"predictions": [{"bytesBase64Encoded": "x"}, {"bytesBase64Encoded": "y"}]}', (None, None, 2)),
        (b"", (None, None, None)),
    ],
)
def test_what_an_answer_says_it_used(answer: bytes, expected: tuple[int | None, ...]) -> None:
    """The providers' own words for usage are understood; a stream's last word counts; nothing said is unknown."""
    assert used(answer) == Used(*expected)


@pytest.mark.parametrize(
    ("calls", "runs_on", "billed"),
    [(4, "yes", "yes"), (1, "no", "no"), (None, "unclear", None), (40, "unclear", "yes")],
)
def test_the_bill_tells_where_no_log_does(calls: int | None, runs_on: str, billed: str | None, room: Path) -> None:
    """What the bill has beyond the control ran on; before it is final, or where it has too much, nothing is said."""
    source = {"name": "bill", "kind": "gcp-billing-file", "path": "bill.jsonl"}
    write_config(room, sources=[source], billing={"settle_after": "0s"})
    (room / "bill.jsonl").touch()
    with endpoint("answers late", "holds") as served:
        typed = arguments(room, url=served.url)
        assert "give --alone" in orphaned(*typed).stderr
        assert orphaned(*typed, "--alone").exit_code == 1
    hour = int(time.time()) // 3600
    rows = [
        books.charged("gcp.gemini", f"Gemini 3.5 Flash Text {kind} - Predictions", hour, calls * count, "1")
        for kind, count in (("Input", 40), ("Output", 100)) if calls
    ]  # fmt: skip
    books.write_lines(room / "bill.jsonl", rows)
    again = ["probe", "--config", str(room / "orphaned.yaml"), "--read", str(room / "probe"), "--format", "json"]
    done = orphaned(*again)
    (found,) = json.loads(done.stdout)["modes"]
    assert (found["runs_on"], found["billed"]) == (runs_on, billed), done.output
    if calls == 4:
        assert (found["ran_on"], found["pending"]) == (3, 0)
        (policy,) = (one for one in load(room / "orphaned.yaml").policies if isinstance(one, Policy))
        assert (policy.runs_on, policy.billed, "By the bill" in policy.note) == ("yes", "yes", True)


# The policy ---------------------------------------------------------------------------------------------------


def policies(room: Path, *fates: Told, day_us: int = T0_US) -> list[Policy]:
    """The policies of such a probe, written beside the config; what the config then has."""
    about = About("probe-1", day_us, "openai", "acme", "gpt-x.1", None, {"unary": NOBODY, "stream": NOBODY})
    config = load(room / "orphaned.yaml")
    measured.write(config.measured_path, measured.policies(findings(looked(*fates)), about, config.policies))
    return [one for one in load(room / "orphaned.yaml").policies if isinstance(one, Policy)]


def test_a_policy_is_written_and_read(room: Path) -> None:
    """It is dated, names its probe, keeps what is billed, and a later one of that day takes its place."""
    (found,) = policies(room, *left("ran on", 5))
    assert (found.runs_on, found.billed, found.certainty, found.on) == ("yes", "yes", "measured", "unary_dropped")
    assert (found.from_us, found.source) == (T0_US, "orphaned probe, probe-1")
    assert "5 of 5 calls ran on" in found.note
    (found,) = policies(room, *left("stopped", 5, "rst", "1s"), day_us=T0_US + 7)
    assert found.runs_on == "no"
    assert len(policies(room, *left("stopped", 5, "rst", "1s"), day_us=T0_US + 86_400_000_000)) == 2


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_text_survives_the_file(model: str, note: str) -> None:
    """A policy is read as it was written, whatever its texts hold."""
    clean = [text.encode("utf-8", "ignore").decode().replace("\x7f", "") or "x" for text in (model, note)]
    policy = Policy("acme", clean[0], "stream_dropped", "stream", "yes", "no", T0_US, "measured", "probe", clean[1])
    assert policies_from_toml(toml_from_policy(policy)) == [policy]


@pytest.mark.parametrize("text", ["[[policy]]\nprovider = 'x'", "policy = 3", "no toml", "[policy]\na = 1"])
def test_a_damaged_file_is_a_mistake_of_the_config(text: str, room: Path) -> None:
    """What is no file of measured policies is told with its name, exit code 2, and is not written over."""
    (room / "measured-policies.toml").write_text(text, encoding="utf-8")
    done = orphaned("check", "--config", str(room / "orphaned.yaml"))
    assert (done.exit_code, "measured-policies.toml: no file of measured policies" in done.stderr) == (2, True)


@pytest.mark.parametrize(("fate", "verdict"), [(None, "cut_short"), ("ran on", "orphaned"), ("stopped", "cut_short")])
def test_the_costing_uses_it(fate: Fate | None, verdict: str, room: Path) -> None:
    """Of an abort that nobody logs, the verdict follows what was measured instead of what the table says."""
    if fate:
        judged = [Judged(Made("c", "stream", Cell("stream", "fin", instant("1s")), "aborted"), fate, "exact")] * 5
        about = About("probe-1", T0_US, "openai", None, "gpt-x.1", None, {"stream": NOBODY})
        found = findings(Looked(tuple(judged), 1, (), ()))
        measured.write(room / "measured-policies.toml", measured.policies(found, about, ()))
    price = {**PRICE, "model": "gpt-x.1"}
    write_config(room, sources=[{"name": "app", "kind": "client-log", "path": "client.jsonl"}], prices=[price])
    call_ = {"call_id": "c", "provider": "openai", "model": "gpt-x.1", "stream": True, "input_tokens": 1000}
    lines = [
        {"event": "started", "at": "2026-11-20T09:00:00Z", "max_output_tokens": 1000, **call_},
        {"event": "ended", "at": "2026-11-20T09:00:10Z", "call_id": "c", "outcome": "aborted", "reason": "cancelled"},
    ]
    (room / "client.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    typed = ["--config", str(room / "orphaned.yaml")]
    assert orphaned("run", "--once", "--as-of", "2026-11-20T12:00:00Z", *typed).exit_code == 0
    (row,) = json.loads(orphaned("export", "verdicts", "--format", "json", *typed).stdout)
    assert (row["verdict"], row["evidence"]) == (verdict, "assumed")
    said = json.loads(orphaned("export", "policies", "--format", "json", *typed).stdout)
    sources = {one["source"] for one in said if one["certainty"] == "measured"}
    assert sources == ({"orphaned probe, probe-1"} if fate else set())


def test_reading_again_calls_nobody(room: Path) -> None:
    """`--read` looks into the logs once more; what came meanwhile is found, and a directory of no probe is refused."""
    with endpoint("answers", "holds") as served:
        done = orphaned(*arguments(room, url=served.url))
        assert "3 calls are not decided yet" in done.stderr, done.output
    again = ["probe", "--config", str(room / "orphaned.yaml"), "--read", str(room / "probe"), "--wait", "0s"]
    assert orphaned(*again).exit_code == 1
    log(room, served)
    done = orphaned(*again, "--format", "json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["modes"][0]["ran_on"], told["controls_found"]) == (0, 3, 1), done.output
    assert len(served.requests) == 4
    assert orphaned(*again[:-3], str(room), "--wait", "0s").exit_code == 2


def log(room: Path, served: Endpoint) -> None:
    """The endpoint's provider logs each request as whole, a minute after it came."""
    heads = [one.partition(b"\r\n\r\n")[0].split(b"\r\n") for one in served.requests]
    ids = [next(line.split(b": ")[1] for line in head if line.startswith(b"x-request-id")) for head in heads]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    entries = [
        {"insertId": f"i{n}", "logName": "l", "timestamp": at, "resource": {"labels": {"project_id": "acme"}},
         "httpRequest": {"latency": "70s"},
         "jsonPayload": {"request_id": one.decode(), "model": "gemini-3.5-flash", "status": "ok", "stream": False,
                         "usage": {"input_tokens": 5, "output_tokens": 7}}}
        for n, one in enumerate(ids)
    ]  # fmt: skip
    (room / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in entries), encoding="utf-8")
