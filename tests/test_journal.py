"""`orphaned journal`: bean-check accepts it and bites, it says what `export` says, and a later one only adds."""

import io
import re
import string
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import data
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Config, load
from collector.exporters import journal, tables
from collector.money import nano_from_text
from collector.pipeline import reading, run_once
from collector.records import instant_us
from tests.helpers import Desk, rows
from tests.world import World, WorldSpec, build
from tests.world_spec import BILL, moment

DAY_MIN = 1440
BEAN_CHECK = Path(sys.executable).with_name("bean-check")
WORLDS = {
    "two currencies": WorldSpec.rough(3, calls=300, hours=2, second_currency="EUR"),
    "corrected": WorldSpec(seed=6, calls=250, hours=2, bill="corrected"),
    "daily": WorldSpec(seed=7, calls=250, hours=2, daily=True, bill="late"),
    "over midnight": WorldSpec(seed=8, calls=250, hours=26, bill_by="start"),
}


def drawn(config: Config, *, as_of_us: int | None = None) -> str:
    """The journal as text."""
    sink = io.BytesIO()
    with reading(config, as_of_us=as_of_us) as (connection, values):
        journal.write(connection, values, sink)
    return sink.getvalue().decode()


def bean_check(text: str, folder: Path) -> str:
    """What the real `bean-check` has to say; nothing where it accepts."""
    file = folder / "journal.beancount"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([BEAN_CHECK, file], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr.strip())
    return done.stdout + done.stderr


def entries(text: str) -> list[data.Transaction]:
    """The transactions, as Beancount reads them."""
    found, errors, _ = loader.load_string(text)
    assert not errors
    return [entry for entry in found if isinstance(entry, data.Transaction)]


def totals(found: list[data.Transaction], part: str, service: str = "[^:]+") -> Counter[str]:
    """Nano-units by currency in the accounts of one part, of one service or of all."""
    wanted = re.compile(f"Expenses:Inference:[^:]+:[^:]+:{service}:{part}")
    held: Counter[str] = Counter()
    for entry in found:
        for posting in entry.postings:
            if wanted.fullmatch(posting.account) and posting.units and posting.units.number is not None:
                held[posting.units.currency] += nano_from_text(str(posting.units.number))
    return Counter({currency: nano for currency, nano in held.items() if nano})


@dataclass(frozen=True)
class Told:
    """A world, its ledger after runs in the middle and at the end, and the instants of these runs."""

    world: World
    config: Config
    at_us: list[int]


@pytest.fixture(scope="module", params=WORLDS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Each world, read in three runs: half the lines of the bill, most of them, all."""
    world, directory = build(WORLDS[request.param]), tmp_path_factory.mktemp("journal")
    bill = [line.arrives_us for line in world.lines if line.source == BILL]
    last_us = instant_us(world.as_of)
    at_us = sorted({*(min(bill[len(bill) * tenth // 10] + 1, last_us - 1) for tenth in (4, 8)), last_us})
    for upto_us in at_us:
        config = load(world.write(directory, moment(upto_us)))
        run_once(config, now_us=upto_us)
    return Told(world, config, at_us)


def test_bean_check_accepts_every_journal(told: Told, tmp_path: Path) -> None:
    """Of every world, as of every run: each entry balances, and so does the whole with what the ledger holds."""
    for at_us in (None, *told.at_us, 0):
        assert not bean_check(drawn(told.config, as_of_us=at_us), tmp_path)


def test_totals_are_those_of_the_export(told: Told) -> None:
    """Each part, in each currency, adds up to the settled rows of `export reconciliation`, to the last nano-unit."""
    found = entries(drawn(told.config))
    with reading(told.config) as (connection, _):
        exported = tables.frame("reconciliation", connection)
    settled = exported[exported["settled"]]
    assert len(settled)
    for part, word in journal.PARTS.items():
        sums = settled.groupby("currency")[f"{part}_cost"].sum()
        assert totals(found, word) == {str(c): nano_from_text(str(v)) for c, v in sums.items() if v}


def test_totals_are_those_of_the_world(told: Told) -> None:
    """What the world knows to be billed for its models stands in the journal, with the bill's other settled lines."""
    found = entries(drawn(told.config))
    others = [row for row in rows(told.config, "bucket_current") if row["settled"] and not row["model"]]
    for currency in told.world.totals:
        settled = [bucket for bucket in told.world.buckets if bucket.currency == currency and bucket.settled]
        billed = sum(bucket.billed_cost for bucket in settled)
        other = sum(row["billed_nano"] for row in others if row["currency"] == currency)
        assert settled
        assert sum(totals(found, word)[currency] for word in journal.PARTS.values()) == billed * 10**9 + other


def test_services_have_what_their_verdicts_say(told: Told) -> None:
    """A service's orphaned and cut short money is that of its billed verdicts; what is left has no service."""
    found = entries(drawn(told.config))
    verdicts = [row for row in rows(told.config, "verdict_current") if row["money_row"] and row["basis"] == "billed"]
    assert verdicts
    for service in {row["service"] for row in verdicts}:
        for part in ("orphaned", "cut_short"):
            wanted = Counter[str]()
            for row in verdicts:
                if (row["service"], row["verdict"]) == (service, part) and row["orphaned_nano"]:
                    wanted[row["currency"]] += row["orphaned_nano"]
            assert totals(found, journal.PARTS[part], journal.component(service)) == wanted
    for part in ("Orphaned", "Cut-short", "Failed"):
        assert all(nano > 0 for nano in totals(found, part, journal.UNASSIGNED).values())


def test_a_later_journal_only_adds(told: Told) -> None:
    """All but the closing balances of an earlier journal is the beginning of every later one, byte for byte."""
    grown = [drawn(told.config, as_of_us=at_us).rpartition("\n;; As known by ")[0] for at_us in told.at_us]
    assert len(set(grown)) > 1
    for earlier, later in zip(grown, [*grown[1:], drawn(told.config)], strict=True):
        assert later.startswith(earlier)


def _billed(directory: Path, **changes: object) -> Desk:
    """One lost call on 2026-11-20, billed and settled on that day."""
    desk = Desk(directory, **changes)
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.completion("c1", 2)
    desk.run(5)
    desk.bill("Input", 0, 1000, "0.0006")
    desk.bill("Output", 0, 2000, "0.01")
    desk.run(6 * 60)
    return desk


@pytest.fixture
def text(tmp_path: Path) -> str:
    """Its journal."""
    return drawn(_billed(tmp_path / "desk").config)


def test_entry_is_dated_by_usage(text: str) -> None:
    """The entry stands on the day of usage, and says which day that is and when it was known."""
    (entry,) = entries(text)
    assert entry.date.isoformat() == "2026-11-20"
    assert (entry.payee, entry.narration) == ("gcp.vertex_ai", "Inference of 2026-11-20, settled")
    assert entry.meta["recorded-at"] == "2026-11-20T06:00:00.000000Z"
    assert [(posting.account, str(posting.units)) for posting in entry.postings] == [
        ("Liabilities:Inference:Gcp-vertex-ai:Acme", "-0.010600000 USD"),
        ("Expenses:Inference:Gcp-vertex-ai:Acme:Chat:Orphaned", "0.010600000 USD"),
    ]


def test_correction_is_an_entry_of_its_own(tmp_path: Path) -> None:
    """A correction of the bill is dated on the day it became known, tagged, and names the day that it corrects."""
    desk = _billed(tmp_path / "desk")
    before = entries(drawn(desk.config))
    desk.bill("Output", 0, 0, "-0.0040", file="billing/b.jsonl", cost_type="adjustment")
    desk.run(10 * DAY_MIN)
    text = drawn(desk.config)
    first, second = entries(text)
    assert [first.postings] == [entry.postings for entry in before]
    assert (second.date.isoformat(), second.narration) == ("2026-11-30", "Inference of 2026-11-20, corrected")
    assert "correction" in second.tags
    assert [str(posting.units) for posting in second.postings] == ["0.004000000 USD", "-0.004000000 USD"]
    assert not bean_check(text, tmp_path)


def test_late_line_moves_money_between_parts(tmp_path: Path) -> None:
    """A call that turns out lost after its hour settled is a correction that leaves the bill alone."""
    desk = Desk(tmp_path / "desk")
    desk.completion("c1", 2)
    desk.run(5)
    desk.bill("Input", 0, 1000, "0.0006")
    desk.bill("Output", 0, 2000, "0.01")
    desk.run(6 * 60)
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.run(3 * DAY_MIN)
    text = drawn(desk.config)
    _, second = entries(text)
    assert [(posting.account.split(":", 4)[-1], str(posting.units)) for posting in second.postings] == [
        ("Unassigned:Delivered", "-0.010600000 USD"), ("Chat:Orphaned", "0.010600000 USD"),
    ]  # fmt: skip
    assert not bean_check(text, tmp_path)


def test_nothing_settled_is_an_empty_journal(tmp_path: Path) -> None:
    """Before anything is settled the journal has a head and no entry, and is accepted."""
    desk = Desk(tmp_path / "desk")
    desk.completion("c1", 2)
    desk.run(5)
    text = drawn(desk.config)
    assert not entries(text)
    assert not bean_check(text, tmp_path)


def test_one_wrong_nano_unit_is_refused(text: str, tmp_path: Path) -> None:
    """An entry whose parts miss the bill by the last digit does not balance: bean-check bites."""
    said = bean_check(text.replace("Orphaned  0.010600000", "Orphaned  0.010600001"), tmp_path)
    assert "Transaction does not balance: (0.000000001 USD)" in said


def test_a_wrong_entry_that_balances_is_refused(text: str, tmp_path: Path) -> None:
    """An entry changed on both sides still balances, but no longer with what the ledger holds."""
    wrong = re.sub(r"(?<=  )(-?)0\.010600000(?= USD)", r"\g<1>0.010600001", text)
    said = bean_check(wrong, tmp_path)
    assert said.count("Balance failed for") == 2


def test_a_lost_version_is_refused(tmp_path: Path) -> None:
    """If the history of the buckets does not lead to what stands now, bean-check says so."""
    desk = _billed(tmp_path / "desk")
    with reading(desk.config) as (connection, _):
        connection.execute("UPDATE bucket SET orphaned_nano = orphaned_nano + 1 WHERE settled AND usage_kind = 'input'")
    said = bean_check(drawn(desk.config), tmp_path)
    assert "does not balance" in said
    assert "Balance failed" in said


def test_names_are_escaped_and_kept_apart(tmp_path: Path) -> None:
    """Names that Beancount cannot spell keep their own accounts, and stand as they were in the metadata."""
    services = ["chat api", "chat.api", 'été "x"\\\n', "9 lives", "unassigned", "Unassigned", "日本", "---"]
    desk = Desk(tmp_path / "desk")
    for number, service in enumerate(services):
        desk.started(f"c{number}", 0, service=service)
        desk.ended(f"c{number}", 1)
        desk.completion(f"c{number}", 2)
    desk.bill("Output", 0, 2000 * len(services), "0.08")
    desk.bill("Input", 0, 1000 * len(services), "0.008")
    desk.run(6 * 60)
    text = drawn(desk.config)
    assert not bean_check(text, tmp_path)
    (entry,) = entries(text)
    lost = {posting.account for posting in entry.postings if posting.account.endswith(":Orphaned")}
    assert len(lost) == len(services)
    found, _, _ = loader.load_string(text)
    named = {entry.meta.get("service") for entry in found if isinstance(entry, data.Open) and entry.account in lost}
    assert named == {service.replace("\n", " ") for service in services}


@given(st.lists(st.text(max_size=12), unique=True, max_size=6))
def test_no_two_names_share_an_account(names: list[str]) -> None:
    """Whatever the names are, each has an account of its own, spelt as Beancount allows."""
    chart = journal.Chart()
    moves = [journal.Move(1, 0, 0, False, "p", "a", "USD", name or None, "orphaned", 1) for name in names]
    accounts = [chart.account(move) for move in moves]
    assert len(set(accounts)) == len(names)
    assert accounts == [chart.account(move) for move in moves]
    assert all(re.fullmatch(r"Expenses(:[A-Z0-9][A-Za-z0-9-]*)+", account) for account in accounts)


@given(st.text(alphabet=string.printable, max_size=30))
def test_every_currency_can_be_written(currency: str) -> None:
    """Beancount reads any currency's name, and a usual one is left as it is."""
    assert re.fullmatch(r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]", journal.commodity(currency))
    assert journal.commodity("EUR") == "EUR"


@given(st.integers(-(10**24), 10**24))
def test_amounts_are_exact(nano: int) -> None:
    """An amount has nine decimals, and is the amount."""
    assert journal.amount(nano).rpartition(".")[2].isdigit()
    assert nano_from_text(journal.amount(nano)) == nano
