"""The weekly report whole: it agrees with exports and metrics to the last digit, can be drawn again and read."""

import csv
import io
import os
import re
import subprocess
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector import cli, reporting
from collector.config import Config, load
from collector.exporters import tables
from collector.exporters.landing import money as money_text
from collector.exporters.metrics import encode_text
from collector.money import text_from_nano
from collector.pipeline import latest, reading, run_once
from collector.problems import OperatingError
from collector.records import instant_text, instant_us
from collector.report import document, page
from collector.report.document import CSV, HTML, PDF, Report
from collector.report.weeks import WEEK_US, named
from tests.helpers import DAY_US, Desk, Row
from tests.reports import NEXT_MONDAY_MINUTE, WEEK, bill_all, call, text_of
from tests.tools import need, need_library
from tests.world import World, WorldSpec, build

BYTES_MAX = 300_000
Ledger = tuple[World, Config]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A rough world in two currencies: its logs read as the week ends, to the microsecond; its bill read later."""
    world = build(WorldSpec.rough(seed=5, calls=600))
    directory = tmp_path_factory.mktemp("report")
    config = load(world.write(directory, "logs"))
    run_once(config, now_us=WEEK.end_us - 1)
    world.write(directory)
    run_once(config, now_us=max(instant_us(world.as_of), WEEK.due_us(0, 6, 0) + DAY_US))
    return world, config


@pytest.fixture(scope="module")
def report(ledger: Ledger) -> Report:
    """The report of the world's week, as known in the end."""
    return reporting.drawn(ledger[1], week=WEEK)


def exported(config: Config) -> list[Row]:
    """`orphaned export verdicts`, as a program reads it."""
    sink = io.BytesIO()
    with reading(config) as (connection, _):
        tables.write("verdicts", connection, sink)
    return list(csv.DictReader(io.StringIO(sink.getvalue().decode())))


def lost_of(rows: list[Row], column: str = "orphaned_cost") -> dict[str, Decimal]:
    """What the export says was lost in the week, by currency: by the instant at which the work ended."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        at = row["finished_at"] or row["ended_at"] or row["started_at"]
        inside = instant_text(WEEK.start_us) <= at < instant_text(WEEK.end_us)
        if inside and row["verdict"] in {"orphaned", "cut_short"} and row[column]:
            sums[row["currency"]] = sums.get(row["currency"], Decimal(0)) + Decimal(row[column])
    return sums


def labels(line: str) -> set[str]:
    """The values of a sample's labels."""
    return set(re.findall(r'="([^"]*)"', line))


def test_agrees_with_the_export(ledger: Ledger, report: Report) -> None:
    """The week's figure is the sum of the exported verdicts, to the last nano-unit, by currency; so is the CSV's."""
    wanted = lost_of(exported(ledger[1]))
    assert set(wanted) == {"USD", "EUR"}
    assert {one.currency: Decimal(text_from_nano(one.now.best_nano)) for one in report.figures.monies} == wanted
    sums: dict[str, Decimal] = {}
    for row in csv.DictReader(io.StringIO(report.csv.decode())):
        sums[row["BillingCurrency"]] = sums.get(row["BillingCurrency"], Decimal(0)) + Decimal(row["EffectiveCost"] or 0)
        assert row["BilledCost"] == (row["EffectiveCost"] if row["x_Basis"] == "billed" else "")
    assert {currency: amount for currency, amount in sums.items() if currency} == wanted
    avoidable = lost_of(exported(ledger[1]), "avoidable_cost")
    assert {one.currency: Decimal(text_from_nano(one.now.avoidable_nano)) for one in report.figures.monies} == avoidable
    assert f"{money_text(report.figures.monies[0].now.best_nano)} USD" in text_of(report.html)


def test_every_table_adds_up_to_the_figure(report: Report) -> None:
    """Services, models and evidence are three ways to split one sum."""
    for money in report.figures.monies:
        best = money.now.best_nano
        assert sum(row["lost_nano"] for row in money.whose) == best
        assert sum(row["lost_nano"] for row in money.models) == best
        lost = [row for row in money.standing if row["verdict"] in {"orphaned", "cut_short"}]
        assert sum(row["lost_nano"] or 0 for row in lost) == best


def test_agrees_with_the_metrics(ledger: Ledger) -> None:
    """As of the week's last microsecond the 7-day window is the week: best, bounds, avoidable, parts are the same."""
    _, config = ledger
    as_of_us = WEEK.end_us - 1
    drawn = reporting.drawn(config, week=WEEK, as_of_us=as_of_us)
    windows = {one.currency: one for one in latest(config, as_of_us=as_of_us).windows if one.window == "7d"}
    assert set(windows) == {"USD", "EUR"}
    for money in drawn.figures.monies:
        window = windows[money.currency]
        assert (money.now.low_nano, money.now.best_nano, money.now.high_nano, money.now.avoidable_nano) == (
            window.low_nano, window.best_nano, window.high_nano, window.avoidable_nano
        )  # fmt: skip
        assert money.now.parts == window.parts
        assert window.best_nano > 0
    exposed = encode_text(latest(config, as_of_us=as_of_us)).decode().splitlines()
    line = next(one for one in exposed if "window_spend{" in one and {"7d", "best", "USD"} <= labels(one))
    shown = Decimal(text_from_nano(drawn.figures.monies[0].now.best_nano))
    assert abs(Decimal(line.split()[-1]) - shown) < Decimal("0.000001")


def test_is_near_the_truth(ledger: Ledger, report: Report) -> None:
    """What the world knows was lost lies inside the interval that the report tells, or within three per cent of it."""
    world, _ = ledger
    for money in report.figures.monies:
        truth = float(world.totals[money.currency].lost) * 1e9
        assert money.now.low_nano * 0.97 <= truth <= money.now.high_nano * 1.03


def test_drawn_again_it_is_the_same_to_the_byte(ledger: Ledger, tmp_path: Path) -> None:
    """--as-of the first run draws page and table exactly as they were before the second run, whenever it is asked."""
    world, _ = ledger
    config = load(world.write(tmp_path, 0.6))
    first_us = WEEK.end_us + DAY_US
    run_once(config, now_us=first_us)
    before = reporting.drawn(config, week=WEEK)
    world.write(tmp_path)
    run_once(config, now_us=first_us + WEEK_US)
    now = reporting.drawn(config, week=WEEK)
    assert now.csv != before.csv
    assert now.html != before.html
    for later_us in (0, 5, DAY_US):
        again = reporting.drawn(config, week=WEEK, as_of_us=first_us + later_us)
        assert again.html == before.html
        assert again.csv == before.csv
    assert reporting.drawn(config, week=WEEK).html == now.html


def test_corrections_are_told(tmp_path: Path) -> None:
    """A bill that comes after a week's report was due corrects it: the next report says by how much."""
    desk = Desk(tmp_path)
    for number in range(4):
        call(desk, f"c{number}", 5 * number + 1, waits=10, works=30, service="search")
    desk.run(NEXT_MONDAY_MINUTE + 60)
    told = reporting.drawn(desk.config, week=WEEK).figures.monies[0].now.best_nano
    desk.bill("Input", 0, 4000, "0.0024")  # twice the list price
    desk.bill("Output", 0, 8000, "0.0400")
    desk.run(NEXT_MONDAY_MINUTE + 9 * 24 * 60)
    later = reporting.drawn(desk.config, week=named("2026-W48"))
    earlier = later.figures.monies[0].weeks[-2]
    assert (earlier.told_nano, earlier.spend and earlier.spend.best_nano) == (told, 2 * told)
    said = "1 earlier week of 1 has another figure than its report could tell when it was due: up by 0.02 USD"
    assert said in text_of(later.html)


def test_an_empty_week_is_told_well(tmp_path: Path) -> None:
    """No call was left: that is an answer. A week before everything is unknown."""
    desk = Desk(tmp_path)
    desk.started("c1", 1)
    desk.ended("c1", 2, outcome="delivered", reason=None)
    desk.completion("c1", 2, seconds=60)
    bill_all(desk, 1)
    desk.run(NEXT_MONDAY_MINUTE + 60)
    text = text_of(reporting.drawn(desk.config, week=WEEK).html)
    assert "No orphaned spend was found in the week of 16 to 22 November 2026 (2026-W47, UTC)." in text
    assert "No call was left before its answer had come." in text
    assert "There is nothing to act on this week." in text
    early = reporting.drawn(desk.config, week=WEEK.before())
    assert page.figure(early.figures) == "unknown"
    assert "Nothing is on record for the week of 9 to 15" in text_of(early.html)
    assert early.csv.count(b"\n") == 1


def test_unknown_amounts_are_no_zeros(tmp_path: Path) -> None:
    """Without price and bill an orphan is counted, and its cost is said to be unknown."""
    desk = Desk(tmp_path, prices=[])
    call(desk, "c1", 1, waits=10, works=30)
    desk.run(NEXT_MONDAY_MINUTE + 60)
    drawn = reporting.drawn(desk.config, week=WEEK)
    assert drawn.figures.unknown == 1
    text = text_of(drawn.html)
    assert "What the orphaned inference of the week of 16 to 22 November 2026 (2026-W47, UTC) cost is unknown." in text
    assert "1 abort lost something whose cost is unknown" in text
    assert "No orphaned spend was found" not in text
    assert "0.00 USD" not in text
    assert page.figure(drawn.figures) == "unknown"
    (row,) = csv.DictReader(io.StringIO(drawn.csv.decode()))
    assert (row["EffectiveCost"], row["x_UnknownCostRequests"], row["ConsumedQuantity"]) == ("", "1", "1")


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    """A name out of a log that a spreadsheet would compute is told as text; the export has it as it was."""
    desk = Desk(tmp_path)
    named_so = '=HYPERLINK("http://elsewhere")'
    call(desk, "c1", 1, waits=10, works=30, service=named_so)
    desk.run(NEXT_MONDAY_MINUTE + 60)
    (row,) = csv.DictReader(io.StringIO(reporting.drawn(desk.config, week=WEEK).csv.decode()))
    assert row["x_Service"] == f"'{named_so}"
    assert Decimal(row["EffectiveCost"]) > 0
    assert [one["service"] for one in exported(desk.config)] == [named_so]


def test_the_default_week(tmp_path: Path) -> None:
    """The newest whole week; where only the week under way is known, that one, as far as it goes."""
    desk = Desk(tmp_path)
    call(desk, "c1", 1, waits=10, works=30)
    desk.run(600)
    drawn = reporting.drawn(desk.config)
    assert (drawn.figures.week, drawn.figures.under_way) == (WEEK, True)
    assert "This week is still under way." in text_of(drawn.html)
    desk.run(NEXT_MONDAY_MINUTE + 60)
    assert reporting.drawn(desk.config).figures.week == WEEK
    assert not reporting.drawn(desk.config).figures.under_way


# The page ---------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """What a screen reader has to go by, and what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[int] = []
        self.loaded: list[str] = []
        self.scopes: list[str | None] = []
        self.images: list[str | None] = []
        self.labelled: list[str | None] = []
        self.ids: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes one tag."""
        found = dict(attrs)
        self.tags.append(tag)
        self.loaded += [text or "" for name, text in attrs if name in {"src", "href", "xlink:href", "srcset"}]
        self.headings += [int(tag[1])] if re.fullmatch(r"h[1-6]", tag) else []
        self.scopes += [found.get("scope")] if tag == "th" else []
        self.images += [found.get("aria-label")] if found.get("role") == "img" else []
        self.labelled += [found["aria-labelledby"]] if "aria-labelledby" in found else []
        self.ids += [found["id"]] if "id" in found else []


def outline(html: str) -> Outline:
    """The outline of a page."""
    parser = Outline()
    parser.feed(html)
    return parser


def test_the_page_is_one_small_file_without_network(report: Report) -> None:
    """Nothing is loaded from anywhere, there is no script, and the page is far below its limit."""
    found = outline(report.html)
    assert found.loaded == []
    assert not {"script", "link", "iframe", "object", "img", "image", "use"} & set(found.tags)
    addresses = set(re.findall(r"https?://[^\"'\s)]+", report.html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "url(http" not in report.html
    assert len(report.html.encode()) < BYTES_MAX
    assert len(report.csv) < BYTES_MAX


def test_the_page_is_accessible(report: Report) -> None:
    """Language, one first heading, no level left out, captions, header scopes, and a text for each drawing."""
    found = outline(report.html)
    assert report.html.lstrip().startswith("<!DOCTYPE html>")
    assert '<html lang="en">' in report.html
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(found.headings))
    assert found.tags.count("caption") == found.tags.count("table") > 4
    assert set(found.scopes) == {"col", "row"}
    assert len(found.images) == found.tags.count("svg") >= 6
    assert all(text and re.search(r"\d\.\d\d", text) for text in found.images)
    assert set(found.labelled) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert {"header", "main", "footer"} <= set(found.tags)


def test_texts_from_outside_are_escaped(tmp_path: Path) -> None:
    """A service's name from a log line cannot become part of the page or of a drawing."""
    desk = Desk(tmp_path)
    for number in range(3):
        call(desk, f"c{number}", 5 * number + 1, waits=10, works=30, service='<script>alert(1)</script>&"<img src=x>')
    desk.run(NEXT_MONDAY_MINUTE + 60)
    drawn = reporting.drawn(desk.config, week=WEEK)
    assert "<script" not in drawn.html
    assert "<img" not in drawn.html
    assert "&lt;script&gt;alert(1)" in drawn.html


def test_each_chart_is_the_same_every_time(report: Report) -> None:
    """A drawing has no random names in it, labels its bars itself, and is small."""
    for currency, pictures in report.pictures:
        assert [one.name for one in pictures] == ["weeks", "service", "reason"]
        for one in pictures:
            assert one.svg() == one.svg()
            assert len(one.svg()) < 40_000
            assert "legend" not in one.svg()
        assert f"in {currency}: 2026-W40 no data" in pictures[0].told
        assert "no data" in pictures[0].svg()


def test_a_browser_shows_it_without_asking_the_network(report: Report, tmp_path: Path) -> None:
    """Headless Chromium draws the page with every host name blocked, and its log has no request of the page's."""
    chromium = need("chromium", "chromium")
    (tmp_path / HTML).write_text(report.html, encoding="utf-8")
    picture, log = tmp_path / "page.png", tmp_path / "net.json"
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={log}", f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1000,2000", f"--screenshot={picture}", f"file://{tmp_path / HTML}",
        ],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 20_000
    asked = set(re.findall(r'"url":"(https?://[^"]+)"', log.read_text(encoding="utf-8", errors="replace")))
    assert not {one for one in asked if "google" not in one and "gvt1" not in one}  # those are Chromium's own wishes


# The command ------------------------------------------------------------------------------------------------


def orphaned(*arguments: str | Path) -> Result:
    """One call of the command, in this process."""
    return CliRunner().invoke(cli.app, [str(one) for one in arguments], prog_name="orphaned")


def test_the_command_writes_three_files(ledger: Ledger, tmp_path: Path, report: Report) -> None:
    """A directory gets page, table and PDF; standard output stays empty; the PDF holds the figure."""
    need_library("pangoft2-1.0", "libpangoft2-1.0-0")
    directory = tmp_path / "new" / "dir"
    done = orphaned("report", "--config", ledger[1].path, "--week", "2026-W47", "--output", directory)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    assert "Orphaned inference 2026-W47: " in done.stderr
    assert {path.name for path in directory.iterdir()} == {HTML, PDF, CSV}
    assert (directory / HTML).read_text(encoding="utf-8") == report.html
    assert (directory / CSV).read_bytes() == report.csv
    assert (directory / PDF).read_bytes().startswith(b"%PDF-")
    text = subprocess.run(
        [need("pdftotext", "poppler-utils"), directory / PDF, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert page.figure(report.figures) in text


def test_bad_weeks_and_instants(ledger: Ledger) -> None:
    """A week that had not begun, and an instant before all knowledge, are bad usage and say so."""
    path = ledger[1].path
    ahead = orphaned("report", "--config", path, "--week", "2027-W30")
    assert (ahead.exit_code, "2027-W30 had not begun" in ahead.stderr) == (2, True)
    early = orphaned("report", "--config", path, "--as-of", "2026-01-01")
    assert (early.exit_code, "nothing was known by then" in early.stderr) == (2, True)


def test_without_pango_page_and_table_are_there(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the PDF cannot be drawn, the reader is told what to install, and has the other two files."""

    def missing(_html: str) -> bytes:
        raise OperatingError("the PDF needs the system's Pango")

    monkeypatch.setattr(document, "printed", missing)
    fresh = Report(report.figures, report.csv, report.pictures)
    with pytest.raises(OperatingError, match="Pango"):
        fresh.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {HTML, CSV}


def test_the_pdf_loads_nothing() -> None:
    """Whatever a page would load from elsewhere is refused while it is printed."""
    with pytest.raises(ValueError, match="loads nothing"):
        document._refused("http://127.0.0.1:1/x.png")
