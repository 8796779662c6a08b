"""Bad input of every kind: it never raises, every line has one fate, good lines beside it are untouched.

The good lines are of account `acme`; whatever is made bad here belongs to nobody or to other calls.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.ledger.append import stretches
from collector.problems import EXCERPT_CHARS_MAX
from tests.garbage import (
    FILES,
    IGNORED,
    MAKERS,
    NEW,
    PROBLEM,
    billed,
    cases,
    completion,
    ended,
    proxied,
    started,
)
from tests.helpers import DESK_CONFIG, Desk, Row, at, looking, rows, source_counts, verdicts

TABLES = {
    "app": "client_call",
    "edge": "client_call",
    "backend": "backend_completion",
    "bill": "billing_line",
}
READ_MIN, LATER_MIN = 100.0, 100_000.0


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with one lost call, billed."""
    return _good(Desk(tmp_path))


def _good(desk: Desk) -> Desk:
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.completion("c1", 2)
    desk.bill("Input", 0, 1000, "0.0006")
    desk.bill("Output", 0, 2000, "0.01")
    desk.put(FILES["edge"], proxied(0, request_uri="/healthz"))
    return desk


def _undisturbed(desk: Desk) -> None:
    """The good call is what it is without anything bad beside it."""
    with looking(desk.config) as ledger:
        (row,) = [row for row in verdicts(ledger) if (row["observer"], row["call_id"]) == ("app", "c1")]
        good = [row for row in rows(ledger, "bucket_current") if row["account"] == "acme"]
    assert (row["account"], row["verdict"], row["evidence"], row["basis"]) == (
        "acme",
        "orphaned",
        "exact",
        "billed",
    )
    assert (row["cost_nano"], row["orphaned_nano"]) == (10_600_000, 10_600_000)
    assert {row["usage_kind"]: row["orphaned_nano"] for row in good} == {
        "input": 600_000,
        "output": 10_000_000,
    }


def _fates(desk: Desk, source: str, first_line: int, count: int) -> list[str]:
    """What became of each of `count` lines from `first_line` on."""
    stored = {row["line_no"] for row in rows(desk.config, TABLES[source]) if row["source"] == source}
    places = [row["place"] for row in rows(desk.config, "problem") if row["source"] == source]
    refused = {int(place.rpartition(":")[2]) for place in places if place.startswith(FILES[source])}
    fates = []
    for line_no in range(first_line, first_line + count):
        assert not (line_no in stored and line_no in refused), line_no
        fates.append(NEW if line_no in stored else PROBLEM if line_no in refused else IGNORED)
    return fates


@pytest.mark.parametrize("source", list(FILES))
def test_every_bad_line_has_its_fate(desk: Desk, source: str) -> None:
    """Truncated, binary, mistyped, impossible: each line is the record, problem or ignored line it is."""
    first_line = (desk.directory / FILES[source]).read_bytes().count(b"\n") + 1
    expected = cases(source)
    desk.put(FILES[source], *(line for line, _ in expected))
    desk.run(READ_MIN)
    found = _fates(desk, source, first_line, len(expected))
    wrong = [(line[:300], fate, want) for (line, want), fate in zip(expected, found, strict=True) if fate != want]
    assert wrong == []
    counts = source_counts(desk.config, source)
    lines = first_line - 1 + len(expected)
    assert sum(counts.values()) == lines
    assert counts[PROBLEM] == found.count(PROBLEM)
    desk.run(LATER_MIN)
    _undisturbed(desk)


def test_problems_are_fit_to_be_shown(desk: Desk) -> None:
    """Every problem names file and line, says what is wrong, and quotes a short, printable excerpt."""
    desk.put(FILES["app"], *(line for line, _ in cases("app")))
    desk.run(READ_MIN)
    found = [row for row in rows(desk.config, "problem") if row["kind"] != "started line missing"]
    assert found
    for row in found:
        assert row["place"].startswith("client/a.jsonl:")
        assert row["message"].strip()
        assert len(row["excerpt"]) <= EXCERPT_CHARS_MAX
        assert row["excerpt"].isprintable()


@pytest.mark.parametrize(
    "number",
    ["123456789012345678", "9e15", "-9e15", "99999999999999999999", 2**63 - 1, 2**63, -(2**63), 1e18, 1e300],
)
def test_poisonous_numbers(desk: Desk, number: str | float) -> None:
    """A number too large for anything, wherever it stands, is a problem or a record; no run fails of it."""
    keys = ("msec", "request_time", "upstream_header_time", "status", "bytes_sent", "upstream_bytes_received")
    desk.put(FILES["edge"], *(proxied(n, **{key: number}) for n, key in enumerate(keys, 100)))
    kinds = ("input_tokens", "cached_input_tokens", "output_tokens", "thinking_tokens", "images")
    for n, kind in enumerate(kinds, 200):
        desk.put(FILES["app"], started(n), ended(n, output_tokens_received=number, bytes_received=number))
        desk.put(FILES["backend"], completion(n, {kind: number}))
    desk.put(FILES["backend"], completion(300) | {"httpRequest": {"latency": f"{number}s"}})
    unlikely: list[Row] = [
        {"cost": number}, {"credits": [{"amount": number}]}, {"usage": {"amount": number, "unit": "count"}},
        {"cost": "9000000000", "usage": {"amount": 1e15, "unit": "count"}},
        {"cost": "9000000000", "credits": [{"amount": "-9000000000"}]},
    ]  # fmt: skip
    desk.put(FILES["bill"], *(billed(n, **more) for n, more in enumerate(unlikely, 400)))
    desk.run(READ_MIN)
    desk.run(LATER_MIN)
    _undisturbed(desk)
    with looking(desk.config) as ledger:
        for source, file in FILES.items():
            lines = (desk.directory / file).read_bytes().count(b"\n")
            assert sum(source_counts(ledger, source).values()) == lines


def test_texts_with_odd_characters(desk: Desk) -> None:
    """Escapes, NUL, lone surrogates, right-to-left marks and very long names are read, or are a problem."""
    odd = [
        "caf\\u00e9",
        "a\\u0000b",
        "\\ud800",
        "\\udc00\\ud800",
        "\\u202e",
        "\\n\\t",
        "%00",
        "'; DROP TABLE run; --",
    ]
    for n, text in enumerate(odd):
        line = json.dumps(started(n)).replace('"chat"', f'"{text}"')
        desk.put(FILES["app"], line, json.dumps(ended(n)))
    desk.put(FILES["app"], started(50, service="x" * 100_000), ended(50))
    desk.run(READ_MIN)
    assert sum(source_counts(desk.config, "app").values()) == 2 + 2 * len(odd) + 2
    services = {row["service"] for row in verdicts(desk.config)}
    assert {"café", "'; DROP TABLE run; --"} <= services
    desk.run(LATER_MIN)
    _undisturbed(desk)


def test_keys_told_twice_have_one_fate(desk: Desk) -> None:
    """A line that tells a key twice is one record or one problem."""
    line = json.dumps(started(1))
    for key, value in (("call_id", '"other"'), ("event", '"ended"'), ("at", "7"), ("model", "{}")):
        desk.put(FILES["app"], line[:-1] + f', "{key}": {value}}}')
    desk.run(READ_MIN)
    assert sum(source_counts(desk.config, "app").values()) == 6
    _undisturbed(desk)


@pytest.mark.parametrize("order", ["aba", "baa", "aab", "aa", "abab"])
@pytest.mark.parametrize("runs", [1, 2], ids=["together", "apart"])
@pytest.mark.parametrize("known", [0, 1], ids=["its first repetition", "known to repeat itself"])
def test_first_reading_stands(tmp_path: Path, order: str, runs: int, known: int) -> None:
    """Lines of one key, some the same to the letter: the first is the record, the others repeat or contradict it."""
    desk = Desk(tmp_path)
    for _ in range(known):
        desk.put(FILES["app"], started(2), started(2))
        desk.run(READ_MIN - 1)
    told = {"a": started(1, model="m-a"), "b": started(1, model="m-b")}
    parts = [order] if runs == 1 else [order[:1], order[1:]]
    for minute, part in enumerate(parts):
        desk.put(FILES["app"], *(told[letter] for letter in part))
        desk.run(READ_MIN + minute)
    *before, record = rows(desk.config, "client_call")
    assert len(before) == known
    assert (record["model"], record["line_no"]) == (f"m-{order[0]}", 1 + 2 * known)
    same, other = order.count(order[0]) - 1, len(order) - order.count(order[0])
    counts = {"new": 1 + known, "duplicate": same + known, "problem": other, "ignored": 0}
    assert source_counts(desk.config, "app") == counts
    assert len(rows(desk.config, "problem")) == other


@pytest.mark.parametrize("others", [0, 1], ids=["by themselves", "beside another bad line"])
def test_bad_lines_may_stand_twice(tmp_path: Path, others: int) -> None:
    """To the letter, and beside good ones that do: each is a problem, and no good one is lost or doubled."""
    desk = Desk(tmp_path)
    bad = completion(1)
    bad["timestamp"] = "soon"
    desk.put(FILES["backend"], bad, completion(2), bad, completion(2), completion(3), *["{broken"] * others)
    desk.run(READ_MIN)
    counts = {"new": 2, "duplicate": 1, "problem": 2 + others, "ignored": 0}
    assert source_counts(desk.config, "backend") == counts
    assert len(rows(desk.config, "problem")) == 2 + others


def test_old_and_new_lines_repeat(tmp_path: Path) -> None:
    """Lines of weeks that lie far apart, read together again: each is known by its own hour."""
    desk = Desk(tmp_path)
    minutes = [week * 7 * 24 * 60.0 for week in range(3)]
    for again in range(2):
        for minute in minutes:
            desk.started(f"c{minute}", minute)
            desk.completion(f"c{minute}", minute + 1)
        desk.run(minutes[-1] + 60 + again)
    for source in ("app", "backend"):
        assert source_counts(desk.config, source) == {"new": 3, "duplicate": 3, "problem": 0, "ignored": 0}


def test_keys_that_read_alike_are_two(tmp_path: Path) -> None:
    """Account "a b" with id "c" is not account "a" with id "b c", where both are told twice."""
    desk = Desk(tmp_path)
    for _ in range(2):
        for account, name in (("a b", "c"), ("a", "b c")):
            entry = completion(1)
            entry["jsonPayload"]["completion_id"] = name
            entry["resource"]["labels"]["project_id"] = account
            desk.put(FILES["backend"], entry | {"insertId": f"{account}/{name}"})
    desk.run(READ_MIN)
    assert source_counts(desk.config, "backend") == {"new": 2, "duplicate": 2, "problem": 0, "ignored": 0}


@pytest.mark.parametrize(
    ("hours", "wanted"),
    [
        ([], []),
        ([5], [(5, 5)]),
        ([1, 2, 4, 7], [(1, 4), (7, 7)]),
        (list(range(0, 400, 10)), [(0, 390)]),  # too many for a statement each: gaps of 16 are bridged
        ([*range(0, 100, 10), 5000], [(hour, hour) for hour in (*range(0, 100, 10), 5000)]),
    ],
)
def test_stretches(hours: list[int], wanted: list[tuple[int, int]]) -> None:
    """Every hour lies in one of few stretches; what is far from all of them lies in none."""
    assert stretches(hours) == wanted


def test_crlf_and_mark_at_the_start(tmp_path: Path) -> None:
    """Lines that end in CR LF, after a byte order mark, are lines like others."""
    desk = Desk(tmp_path)
    data = b"".join(json.dumps(record).encode() + b"\r\n" for record in (started(1), ended(1)))
    path = desk.directory / FILES["app"]
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbf" + data)
    desk.run(READ_MIN)
    assert source_counts(desk.config, "app") == {"new": 2, "duplicate": 0, "problem": 0, "ignored": 0}


def test_empty_and_unreadable_files(desk: Desk) -> None:
    """An empty file is nothing; a directory in place of a file is a problem, and fails its source alone."""
    (desk.directory / "client" / "empty.jsonl").touch()
    (desk.directory / "nginx" / "b.json").mkdir()
    summary = desk.run(READ_MIN)
    assert summary.sources_failed in {(), ("edge",)}
    assert source_counts(desk.config, "app") == {"new": 2, "duplicate": 0, "problem": 0, "ignored": 0}
    assert any("nginx/b.json" in row["place"] for row in rows(desk.config, "problem"))
    _undisturbed(desk)


def test_call_that_ended_before_it_started(desk: Desk) -> None:
    """An end before its start is read as it stands: no wait is counted, and no amount leaves its bounds."""
    desk.put(FILES["app"], started(1), ended(1, at=at(-5)), started(2), ended(2, at=at(-5)))
    desk.put(FILES["backend"], completion(1), completion(2) | {"timestamp": at(-60)})
    desk.run(READ_MIN)
    found = {row["call_id"]: row for row in verdicts(desk.config)}
    for call_id in ("g1", "g2"):
        row = found[call_id]
        assert row["verdict"] in {"orphaned", "delivered", "unmatched"}
        if row["orphaned_nano"] is not None:
            assert (
                0 <= row["orphaned_low_nano"] <= row["orphaned_nano"] <= row["orphaned_high_nano"] <= row["cost_nano"]
            )
    _undisturbed(desk)


def test_usage_of_nothing(desk: Desk) -> None:
    """A completion that used nothing costs nothing, and a bucket billed with no usage is all unattributed."""
    desk.put(FILES["app"], started(1), ended(1))
    desk.put(FILES["backend"], completion(1, {"input_tokens": 0, "output_tokens": 0}))
    desk.put(FILES["bill"], billed(0, usage={"amount": 0, "unit": "count"}, cost="0.25"))
    desk.run(LATER_MIN)
    found = {row["call_id"]: row for row in verdicts(desk.config)}
    assert found["g1"]["verdict"] in {"orphaned", "delivered"}
    assert not found["g1"]["cost_nano"]
    (bucket,) = [row for row in rows(desk.config, "bucket_current") if row["account"] == "other"]
    assert (bucket["billed_nano"], bucket["unattributed_nano"]) == (250_000_000, 250_000_000)
    _undisturbed(desk)


def test_negative_cost_is_unattributed(desk: Desk) -> None:
    """A bucket below zero shares nothing out: all of it is unattributed, and a problem says so, once."""
    desk.put(FILES["app"], started(1), ended(1))
    desk.put(FILES["backend"], completion(1))
    desk.put(FILES["bill"], billed(0, usage={"amount": 20, "unit": "count"}, cost="-0.25"))
    desk.run(LATER_MIN)
    desk.run(LATER_MIN + 1)
    (bucket,) = [b for b in rows(desk.config, "bucket_current") if b["account"] == "other" and b["billed_nano"]]
    assert (bucket["settled"], bucket["unattributed_nano"], bucket["delivered_nano"]) == (
        True,
        -250_000_000,
        0,
    )
    assert [row["message"] for row in rows(desk.config, "problem") if row["kind"] == "cost not shared out"] == [
        "billed with a negative cost: all of it is unattributed"
    ]
    _undisturbed(desk)


def test_cost_with_many_digits_is_exact(desk: Desk) -> None:
    """A cost with 18 decimals is rounded half to even once, from its text, as number and as text."""
    for number, cost in enumerate(("0.0000000005", "0.0000000015", "0.0000000025", "0.123456789500000001")):
        desk.put(FILES["bill"], billed(number, cost=cost, project={"id": f"p{number}"}))
        line = json.dumps(billed(number, cost=0, project={"id": f"q{number}"})).replace('"cost": 0', f'"cost": {cost}')
        desk.put(FILES["bill"], line)
    desk.run(READ_MIN)
    nano = {row["account"]: row["cost_nano"] for row in rows(desk.config, "billing_line")}
    assert [nano[f"p{n}"] for n in range(4)] == [0, 2, 2, 123_456_790]
    assert [nano[f"q{n}"] for n in range(4)] == [0, 2, 2, 123_456_790]


def test_thinking_beyond_output_is_a_problem(tmp_path: Path) -> None:
    """Where output includes thinking, more thinking than output is a problem; so it is with cached input."""
    sources = [
        source | ({"provider": "openai"} if source["name"] == "backend" else {}) for source in DESK_CONFIG["sources"]
    ]
    desk = Desk(tmp_path, sources=sources)
    desk.put(FILES["backend"], completion(1, {"thinking_tokens": 21}), completion(2, {"thinking_tokens": 20}))
    desk.put(FILES["backend"], completion(3, {"cached_input_tokens": 11}))
    desk.run(READ_MIN)
    assert _fates(desk, "backend", 1, 3) == [PROBLEM, NEW, PROBLEM]
    (row,) = rows(desk.config, "backend_completion")
    assert (row["output_tokens"], row["thinking_tokens"]) == (0, 20)


# Any bytes --------------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("-"), st.builds(list),
    st.builds(dict), st.sampled_from([2**63, -(2**63), 10**18, 10**15, 1e22, "1e18", "9e9", "0x1", "1_0", "now"]),
)  # fmt: skip
PATHS = {
    source: sorted(
        [(key,) for key in maker(0)]
        + [(key, inner) for key, value in maker(0).items() if isinstance(value, dict) for inner in value]
        + [("jsonPayload", "usage", "output_tokens"), ("jsonPayload", "usage", "input_tokens")]
    )
    for source, maker in MAKERS.items()
}


def _changed(record: Row, path: tuple[str, ...], value: Any) -> Row:
    inner: Any = record
    for step in path[:-1]:
        inner = inner.get(step) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner[path[-1]] = value
    return record


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A source, and a valid line of it with a value changed, or bytes cut, turned or put in."""
    source = draw(st.sampled_from(sorted(FILES)))
    record = MAKERS[source](draw(st.integers(1, 9)))
    for _ in range(draw(st.integers(0, 2))):
        record = _changed(record, draw(st.sampled_from(PATHS[source])), draw(VALUES))
    line = bytearray(json.dumps(record).encode())
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        place = draw(st.integers(0, len(line) - 1))
        line[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return source, bytes(line or b"{").replace(b'acme"', b'other"')


NOISE = st.tuples(st.sampled_from(sorted(FILES)), st.binary(max_size=60))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(mutated(), NOISE), min_size=5, max_size=60))
@example([(source, bytes(range(256))) for source in FILES])
def test_anything_at_all_has_one_fate(lines: list[tuple[str, bytes]]) -> None:
    """Arbitrary bytes and mutated lines in all logs: nothing raises, fates add up, the good call stands."""
    with TemporaryDirectory() as directory:
        desk = _good(Desk(Path(directory)))
        for source, line in lines:
            desk.put(FILES[source], line)
        desk.run(LATER_MIN)
        with looking(desk.config) as ledger:
            for source, file in FILES.items():
                counts = source_counts(ledger, source)
                assert sum(counts.values()) == (desk.directory / file).read_bytes().count(b"\n"), (source, counts)
        _undisturbed(desk)
