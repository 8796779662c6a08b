"""The config: what a good file says, and that a bad one is told all that is wrong with it, with the lines."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector import config
from collector.config import (
    AuditEntries,
    ClientLogEntries,
    ClientLogSource,
    CloudLoggingFileSource,
    Config,
    ConfigError,
    FileSource,
    InferenceMetadata,
    LiveSource,
    NginxSource,
    Observer,
    RequestEntries,
)
from collector.config.values import DURATION_HELP, WeeklyTime, duration_us, field_path
from collector.costing.policies import PolicyOverride
from collector.problems import UsageError
from collector.records import instant_text

KINDS = (
    "client-log, nginx, cloud-logging-file, cloud-logging, gcp-billing-file, gcp-billing, "
    "vertex-request-response-file, vertex-request-response"
)
SMALLEST = "sources: [{name: app, kind: client-log, path: 'client/*.jsonl'}]\n"
CONTRACT = r"""
ledger: {path: ledger.duckdb}
currency: USD
http: {listen: 127.0.0.1:9747}
correlation: {horizon: 30m, clock_skew: 2s}
billing: {settle_after: 48h, credits: include}
schedule: {collect: 30s, bill: 1h, report: "mon 06:00"}
sources:
  - {name: app,  kind: client-log, path: "client/*.jsonl"}
  - name: edge
    kind: nginx
    path: "nginx/*.json"
    service: web
    hop: 3
    absorbs: true
    routes:
      - {match: "^/v1/models/(?P<model>[^:/]+):(?P<operation>\\w+)", provider: gcp.gemini, account: acme-prod}
  - name: backend
    kind: cloud-logging-file
    path: "backend/*.jsonl"
    provider: gcp.vertex_ai
    fields:
      completion_id: jsonPayload.completion_id
      request_id: [jsonPayload.request_id, 'labels."acme.example/request"']
      response_id: null
  - {name: bill, kind: gcp-billing-file, path: "billing/*.jsonl"}
skus:
  - {match: "^Acme (?P<model>\\S+) Cached Input Tokens$", usage: cached_input}
  - {match: "^Acme Input Tokens$", usage: input, model: acme-chat-1, provider: acme}
policies:
  - {provider: gcp.vertex_ai, on: cancelled, billed: true}
prices:
  - {model: acme-chat-1, from: 2026-01-01, currency: USD,
     input_per_mtok: "0.30", cached_input_per_mtok: 0.030, output_per_mtok: "2.50"}
  - {model: acme-draw, from: 2026-01-01, currency: EUR, per_image: "0.04", provider: acme, price_class: batch}
"""


def parsed(text: str) -> Config:
    """The config that `text` says."""
    return config.parse(text, Path("/etc/orphaned/orphaned.yaml"))


def mistakes(text: str) -> list[str]:
    """What is wrong with `text`, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return [error.removeprefix("/etc/orphaned/orphaned.yaml:") for error in caught.value.errors]


def test_defaults() -> None:
    """A file that names only a source gets every default of the contract."""
    found = parsed(SMALLEST)
    assert found.ledger_path == Path("/etc/orphaned/ledger.duckdb")
    assert found.currency == "USD"
    assert (found.http.listen.host, found.http.listen.port) == ("127.0.0.1", 9747)
    assert found.correlation.horizon_us == 30 * 60 * 10**6
    assert found.correlation.clock_skew_us == 2 * 10**6
    assert found.billing.settle_after_us == 48 * 3600 * 10**6
    assert found.billing.credits == "include"
    assert (found.schedule.collect_us, found.schedule.bill_us) == (30 * 10**6, 3600 * 10**6)
    assert found.schedule.report == WeeklyTime(0, 6, 0)
    assert (found.skus, found.policies, found.prices) == ((), (), ())


def test_every_section() -> None:
    """The contract's own example is understood, source by source."""
    app, edge, backend, bill = parsed(CONTRACT).sources
    assert isinstance(app, ClientLogSource)
    assert isinstance(edge, NginxSource)
    assert isinstance(backend, CloudLoggingFileSource)
    assert (app.hop, app.absorbs, edge.hop, edge.absorbs, edge.service) == (2, False, 3, True, "web")
    assert (edge.routes[0].provider, edge.routes[0].account) == ("gcp.gemini", "acme-prod")
    assert backend.fields["completion_id"] == (("jsonPayload", "completion_id"),)
    assert backend.fields["request_id"] == (("jsonPayload", "request_id"), ("labels", "acme.example/request"))
    assert backend.fields["response_id"] == ()
    assert backend.fields["span_id"] == (("jsonPayload", "span_id"), ("spanId",))
    assert getattr(bill, "path", None) == "billing/*.jsonl"


def test_rooms_types() -> None:
    """Policies, prices and SKU rules come out as the types of the rooms that use them."""
    found = parsed(CONTRACT)
    assert found.policies == (PolicyOverride("gcp.vertex_ai", "cancelled", billed=True),)
    chat, draw = found.prices
    assert chat.per_mtok == {"input": "0.30", "cached_input": "0.030", "output": "2.50"}
    assert (instant_text(chat.from_us), chat.currency) == ("2026-01-01T00:00:00.000000Z", "USD")
    assert (draw.per_image, draw.provider, draw.price_class, draw.per_mtok) == ("0.04", "acme", "batch", {})
    assert [rule.usage for rule in found.skus] == ["cached_input", "input"]


def test_price_is_never_a_float() -> None:
    """A price keeps every digit that the file shows, quoted or not."""
    digits = "0.1234567890123456789012345"
    price = f"prices: [{{model: m, from: 2026-01-01, currency: USD, input_per_mtok: {digits}}}]"
    assert parsed(SMALLEST + price).prices[0].per_mtok == {"input": digits}


def test_scalars_stay_text() -> None:
    """An account keeps its leading zeros, and a service may be called `on`."""
    routes = "{match: '^/x', provider: aws.bedrock, account: 012345678901}"
    text = f"sources: [{{name: no, kind: nginx, path: a, service: on, routes: [{routes}]}}]"
    (source,) = parsed(text).sources
    assert isinstance(source, NginxSource)
    assert (source.name, source.service, source.routes[0].account) == ("no", "on", "012345678901")


def test_five_mistakes() -> None:
    """Five mistakes are five errors, each at its own line and with its own remedy."""
    text = """\
currency: usd
correlation: {horizon: half an hour}
sources:
  - {name: app, kind: client-log, path: a, absorb: true}
  - name: edge
    kind: nginxx
    path: b
  - name: backend
    kind: cloud-logging-file
    path: c
"""
    assert mistakes(text) == [
        "1: currency: 'usd' is no currency code; expected three capital letters, like USD",
        f"2: correlation.horizon: 'half an hour' is no duration; expected {DURATION_HELP}",
        "4: sources[0].absorb: unknown key; did you mean absorbs?",
        f"6: sources[1].kind: 'nginxx' is no kind of source; expected one of {KINDS}; did you mean nginx?",
        "8: sources[2].provider: missing; this key is required",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: the file says nothing"),
        ("# only a comment\n", "1: the file says nothing"),
        ("- a\n- b\n", "1: expected a mapping"),
        ("just words", "1: expected a mapping"),
        ("currency: USD\n", "1: sources: missing"),
        ("sources: []\n", "1: sources: expected at least one"),
        ("sources: app\n", "1: sources: expected a list"),
        ("sources: [app]\n", "1: sources[0]: expected a mapping"),
        ("sources:\n- {name: a, path: b}\n", "2: sources[0].kind: missing"),
        ("sources:\n- {name: a, kind: [nginx], path: b}\n", "2: sources[0].kind: "),
        (SMALLEST + "a: [1\nb: 2\n", "3: not valid YAML"),
        (SMALLEST + "x: \x07\n", "2: a character that no YAML file may hold: #x0007"),
        (SMALLEST + "currency: USD\ncurrency: EUR\n", "3: currency: stands here a second time (first"),
        (SMALLEST + "? [a]\n: b\n", "2: a key must be a word"),
        (SMALLEST + "currency: !!python/name:os.system\n", "2: currency: the tag"),
        (SMALLEST + "http: &a {listen: *a}\n", "2: an alias (*name) makes this file endless"),
        (SMALLEST + "skus: " + "[" * 5000, "2: nested deeper than"),
        (SMALLEST + "http:\n  listen: 127.0.0.1\n", "3: http.listen: '127.0.0.1' is no address"),
        (SMALLEST + "http: {listen: 'localhost:99999'}\n", "2: http.listen: "),
        (SMALLEST + "billing: {credits: maybe}\n", "2: billing.credits: 'maybe' is not known; expected"),
        (SMALLEST + "schedule: {collect: 0s}\n", "2: schedule.collect: must be longer"),
        (SMALLEST + "schedule: {report: monday}\n", "2: schedule.report: 'monday' is no time of the week"),
        (SMALLEST + "schedule: {bill: 99999999999d}\n", "2: schedule.bill: 99999999999d is longer than ten"),
        (SMALLEST + "skus: [{match: '(', usage: input}]\n", "2: skus[0].match: '(' is no regular"),
        (SMALLEST + "skus: [{match: 'x', usage: input}]\n", "2: skus[0]: the model is named once"),
        (SMALLEST + "skus: [{match: 'x', usage: inputs, model: m}]\n", "2: skus[0].usage: 'inputs' is no"),
        (SMALLEST + "policies: [{provider: p, on: dying, billed: true}]\n", "2: policies[0].on: 'dying'"),
        (SMALLEST + "policies: [{provider: p, on: error, billed: 1}]\n", "2: policies[0].billed: '1' is"),
        (SMALLEST + "prices: [{model: m, from: 2026-01-01, currency: USD}]\n", "2: prices[0]: no price"),
        (
            SMALLEST + "prices:\n- model: m\n  from: 2026-13-01\n  currency: USD\n  per_image: '1'\n",
            "4: prices[0].from: '2026-13-01' is no date",
        ),
        (
            SMALLEST + "prices:\n- model: m\n  from: 2026-01-01\n  currency: USD\n  inptu_per_mtok: '1'\n",
            "6: prices[0].inptu_per_mtok: unknown key; did you mean input_per_mtok?",
        ),
        (
            SMALLEST + "prices: [{model: m, from: 2026-01-01, currency: USD, input_per_mtok: '-1'}]\n",
            "2: prices[0].input_per_mtok: -1 is negative",
        ),
        (
            "sources: [{name: b, kind: cloud-logging-file, path: c, provider: p, fields: {model: a..b}}]\n",
            "1: sources[0].fields.model: 'a..b' is no dotted path",
        ),
        (
            "sources:\n- {name: b, kind: cloud-logging-file, path: c, provider: p, fields: {modle: a}}\n",
            "2: sources[0].fields.modle: unknown key; did you mean model?",
        ),
        (
            "sources:\n- {name: a, kind: nginx, path: b}\n- {name: a, kind: nginx, path: c}\n",
            "3: sources[1].name: 'a' is already the name of sources[0] (line 2)",
        ),
    ],
)
def test_one_mistake(text: str, expected: str) -> None:
    """Each way to get the file wrong is told at its line, by its key, with what was expected."""
    assert any(mistake.startswith(expected) for mistake in mistakes(text)), mistakes(text)


ENTRIES = "{name: g, kind: cloud-logging-file, path: a"
LIVE = "{name: g, kind: cloud-logging, projects: [acme-prod]"


def test_presets() -> None:
    """A preset makes a source what its entries are: an observer, a log of completions, or neither."""
    routes = "routes: [{match: '^/v2/reply$', provider: openai}]"
    lines = [
        ENTRIES + ", preset: http-load-balancer, hop: 4, absorbs: true, service: web, " + routes + "}",
        LIVE + ", preset: cloud-run-requests}",
        LIVE + ", preset: client-log, filter: 'severity>=INFO', since: 2h}",
        ENTRIES + ", preset: vertex-inference-metadata, fields: {model: labels.model}}",
        LIVE + ", preset: vertex-audit}",
        ENTRIES + ", preset: , provider: openai}",
    ]
    text = "sources:\n" + "".join(f"- {line.replace('name: g', f'name: s{no}')}\n" for no, line in enumerate(lines))
    balancer, run, out, meta, audit, plain = parsed(text).sources
    assert isinstance(balancer, RequestEntries)
    assert isinstance(balancer, FileSource)
    assert (balancer.hop, balancer.absorbs, balancer.service) == (4, True, "web")
    assert balancer.routes[0].provider == "openai"
    assert isinstance(run, RequestEntries)
    assert isinstance(run, LiveSource)
    assert (run.hop, run.preset, run.kind) == (1, "cloud-run-requests", "cloud-logging")
    assert isinstance(out, ClientLogEntries)
    assert isinstance(out, LiveSource)
    assert (out.hop, out.filter, out.since_us) == (2, "severity>=INFO", 2 * 3600 * 10**6)
    assert isinstance(meta, InferenceMetadata)
    assert (meta.provider, meta.fields["model"]) == ("gcp.vertex_ai", (("labels", "model"),))
    assert ("jsonPayload", "inputTokenCount") in meta.fields["input_tokens"]
    assert isinstance(audit, AuditEntries)
    assert isinstance(audit, LiveSource)
    assert not isinstance(audit, Observer)
    assert isinstance(plain, CloudLoggingFileSource)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ENTRIES + ", preset: http-loadbalancer}",
            (
                "preset: 'http-loadbalancer' is no preset; expected one of vertex-inference-metadata, "
                "http-load-balancer, cloud-run-requests, client-log, vertex-audit, jobs, or none for completions of "
                "your own log; did you mean http-load-balancer?"
            ),
        ),
        (ENTRIES + ", preset: [client-log]}", "preset: ['client-log'] is no preset; expected one of"),
        (
            ENTRIES + ", preset: client-log, provider: openai}",
            "provider: does not go with preset client-log; known here: name, kind, ",
        ),
        (ENTRIES + ", preset: vertex-audit, hop: 2}", "hop: does not go with preset vertex-audit"),
        (ENTRIES + ", preset: http-load-balancer, fields: {}}", "fields: does not go with preset http-load-balancer"),
        (LIVE + ", preset: client-log, routes: []}", "routes: does not go with preset client-log"),
        (LIVE + ", preset: client-log, path: a}", "path: unknown key"),
        (ENTRIES + ", preset: client-log, absorb: true}", "absorb: unknown key; did you mean absorbs?"),
        (ENTRIES + ", preset: vertex-inference-metadata, fields: {modle: a}}", "fields.modle: unknown key; did you"),
        (LIVE + ", provider: openai, preset: cloud-run-requests, hop: far}", "hop: 'far' is no hop"),
        (ENTRIES + ", provider: openai, service: web}", "service: goes with a preset only: http-load-balancer, "),
        ("{name: g, kind: nginx, path: a, preset: client-log}", "preset: unknown key"),
    ],
)
def test_preset_refused(text: str, expected: str) -> None:
    """A preset that is none, and a key that does not go with it, are told at their line with what would be right."""
    told = mistakes(f"sources:\n- {text}\n")
    assert any(mistake.startswith(f"2: sources[0].{expected}") for mistake in told), told


@pytest.mark.parametrize("kind", ["envoy", "haproxy", "aws-alb", "focus"])
def test_kind_of_a_later_version(kind: str) -> None:
    """A kind that is still to come is recognised, and refused as not available yet."""
    (mistake,) = mistakes(f"sources: [{{name: a, kind: {kind}, table: t, projects: [p]}}]")
    assert mistake.startswith(f"1: sources[0].kind: {kind} is not available in this version")


@pytest.mark.parametrize(
    ("text", "amount_ms"),
    [("500ms", 500), ("30s", 30_000), ("15m", 900_000), ("48h", 172_800_000), ("7d", 604_800_000)],
)
def test_durations(text: str, amount_ms: int) -> None:
    """Every unit of the contract is whole microseconds."""
    assert duration_us(text) == amount_ms * 1_000


@pytest.mark.parametrize("text", ["", "5", "s", "1.5h", "-1s", "1 s", "1w", "\u0661s"])
def test_durations_refused(text: str) -> None:
    """What is no duration is refused, never guessed."""
    with pytest.raises(ValueError, match=r"empty|no duration"):
        duration_us(text)


def test_quoted_keys_in_a_path() -> None:
    """A quoted key of a field path may hold dots and slashes."""
    assert field_path('labels."a.b/c".d') == ("labels", "a.b/c", "d")


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a b", 'a."b', '"a"b', 'a.""'])
def test_paths_refused(text: str) -> None:
    """A field path that is not whole is refused."""
    with pytest.raises(ValueError, match="no dotted path"):
        field_path(text)


def test_file_missing_or_unreadable(tmp_path: Path) -> None:
    """A file that is not there, is a directory, or is no text is a usage error that names it."""
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"currency: USD\n\xff\xfe")
    missing = tmp_path / "none.yaml"
    for path, words in ((missing, "No such file"), (tmp_path, "directory"), (binary, ":2: not UTF-8")):
        with pytest.raises(UsageError) as caught:
            config.load(path)
        assert str(path) in str(caught.value)
        assert words in str(caught.value)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger and the sources' root follow the config file, wherever the command is started."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "orphaned.yaml").write_text(SMALLEST, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = config.load(Path("conf/orphaned.yaml"))
    assert (found.root, found.ledger_path) == (tmp_path / "conf", tmp_path / "conf" / "ledger.duckdb")


WORDS = [*CONTRACT.split(), "&a", "*a", "<<:", "!!set", "\n", "\n- ", "  ", ": ", "[", "}", '"', "\t"]


def told(text: str) -> tuple[str, ...]:
    """The mistakes in `text`, none for a good config. Any other exception fails the test."""
    try:
        parsed(text)
    except ConfigError as error:
        return error.errors or ("a ConfigError without an error",)
    return ()


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)))
@example("&a [*a]")
@example("sources: [{name: [a], kind: {a: b}}]")
@example("sources: {[a]: b}")
@example("\x85: \ufeff")
def test_garbage(text: str) -> None:
    """Whatever the file holds, the answer is a Config or a ConfigError with a place for every mistake."""
    assert all(mistake.startswith("/etc/orphaned/orphaned.yaml:") for mistake in told(text))


@given(st.integers(min_value=0, max_value=len(CONTRACT)), st.integers(min_value=0, max_value=40))
def test_damaged(start: int, length: int) -> None:
    """A good file with a piece cut out anywhere is still answered by a Config or a ConfigError."""
    damaged = CONTRACT[:start] + CONTRACT[start + length :]
    assert all(mistake.startswith("/etc/orphaned/orphaned.yaml:") for mistake in told(damaged))
