"""Every query of every dashboard: asked of a real Prometheus that scraped the real daemon, held against the ledger."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from collector import pipeline
from collector.config import Config, load
from collector.records import RunSummary
from tests.dashboard_books import Books, Chosen, Known
from tests.dashboard_expected import EXPECTED
from tests.dashboard_json import FILES, Query, board, filled, queries
from tests.promql import metric_names
from tests.scraped import Answer, Scraped, scraped
from tests.world import World, WorldSpec, build
from tests.world_spec import HOUR_US, moment

CHOICES = {
    "all": Chosen(),
    "narrowed": Chosen(window="month", model="acme-chat-1", service="search"),
    "another currency": Chosen(currency="EUR", window="30d"),
}
SCRAPED = {"instance", "job"}  # what a scrape adds to every series


@dataclass
class Desk:
    """One simulated day in two states, both scraped."""

    known: list[Known]
    scraped: Scraped

    def books(self, chosen: Chosen) -> Books:
        """What must be said of it."""
        seen = self.scraped
        before, after = self.known
        return Books(before, after, chosen, seen.after_ms / 1000, (seen.after_ms - seen.before_ms) / 1000)

    def ask(self, query: Query, chosen: Chosen) -> Answer:
        """What Prometheus says to a query of a dashboard."""
        return self.scraped.ask(filled(query.expr, chosen, span=self.scraped.span))


def _state(config: Config, world: World, hours: float, known: list[Known]) -> RunSummary:
    """A run over what had arrived so many hours after the world began; what it left is kept in `known`."""
    now_us = world.spec.start_us + round(hours * HOUR_US)
    world.write(config.ledger_path.parent, moment(now_us))
    done = pipeline.run_once(config, now_us=now_us)
    if len(known) < 2:
        known.append(Known.now(config, done.ledger))
    return done


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A rough world after 1.6 hours, and after 22: a part of the bill is there, and some of it corrected."""
    directory = tmp_path_factory.mktemp("dashboards")
    world = build(WorldSpec.rough(7, calls=2500, id_share=0.7))
    config = load(world.write(directory / "world", moment(world.spec.start_us)))
    known: list[Known] = []
    runs = [lambda hours=hours: _state(config, world, hours, known) for hours in (1.6, 22.0)]
    with scraped(directory / "prometheus", runs) as made:
        yield Desk(known, made)


ALL = [query for file in FILES for query in queries(board(file))]


def test_every_query_is_expected() -> None:
    """No query goes unchecked, and nothing is expected of a panel that is gone."""
    assert {(query.file, query.title, query.ref) for query in ALL} == set(EXPECTED)


@pytest.mark.parametrize("chosen", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("query", ALL, ids=lambda query: f"{query.file}: {query.title} {query.ref}")
def test_it_says_what_the_ledger_says(desk: Desk, query: Query, chosen: Chosen) -> None:
    """The label sets and the figures are exactly those of the ledger's own rows."""
    expected = EXPECTED[query.file, query.title, query.ref](desk.books(chosen))
    wanted = expected if isinstance(expected, dict) else {(): expected}
    found = desk.ask(query, chosen)
    assert found
    found = {tuple(pair for pair in key if pair[0] not in SCRAPED): v for key, v in found.items()}
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("query", ALL, ids=lambda query: f"{query.file}: {query.title} {query.ref}")
def test_a_misspelt_metric_fails(desk: Desk, query: Query) -> None:
    """The check bites: with one letter wrong in any of its metrics, a query has nothing to say."""
    for name in metric_names(filled(query.expr, Chosen())):
        misspelt = replace(query, expr=re.sub(rf"{name}\b", f"{name[:-1]}x", query.expr))
        assert misspelt != query
        assert desk.ask(misspelt, Chosen()) == {}


@pytest.mark.parametrize("wrong", ["servise_name", "modle"])
def test_a_misspelt_label_fails(desk: Desk, wrong: str) -> None:
    """And so with a label that is not there: the answer is another, or none."""
    right = {"servise_name": "service_name", "modle": "model"}[wrong]
    chosen = CHOICES["narrowed"]
    named = [query for query in ALL if re.search(rf"\b{right}\b", query.expr)]
    assert len(named) > 5
    for query in named:
        misspelt = replace(query, expr=re.sub(rf"\b{right}\b", wrong, query.expr))
        assert desk.ask(misspelt, chosen) != desk.ask(query, chosen), query.title


def test_every_variable_offers_what_was_scraped(desk: Desk) -> None:
    """Each variable that asks Prometheus finds values: the metric and the label that it names are there."""
    for file in FILES:
        for variable in board(file)["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = variable["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
                asked = filled(metric, Chosen())
                values = desk.scraped.prometheus.ask(f"label/{label}/values", **{"match[]": asked})
                assert values, variable["query"]
