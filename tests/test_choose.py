"""The one-to-one choice, against an independent solver (networkx) on random sparse graphs."""

from random import Random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.correlate import choose as module
from collector.correlate.choose import blocks, choose, costs_of

Costs = dict[tuple[int, int], int]


def random_costs(rng: Random, lefts: int, rights: int, pairs: int, cost_max: int) -> Costs:
    """A sparse graph; node numbers are the same on both sides, as in the ledger."""
    return {(rng.randrange(lefts), rng.randrange(rights)): rng.randrange(cost_max + 1) for _ in range(pairs)}


def solved(costs: Costs) -> tuple[int, int]:
    """How many pairs, and at what least cost, by networkx."""
    graph = nx.Graph()
    worst = max(costs.values(), default=0)
    for (left, right), cost in costs.items():
        graph.add_edge(("l", left), ("r", right), weight=worst - cost)
    pairs = nx.max_weight_matching(graph, maxcardinality=True)
    return len(pairs), sum(worst - graph.edges[a, b]["weight"] for a, b in pairs)


def checked(costs: Costs, chosen: list[tuple[int, int]]) -> tuple[int, int]:
    """How many pairs were chosen and at what cost; each is possible, and no node stands twice."""
    assert set(chosen) <= set(costs)
    assert len({left for left, _ in chosen}) == len({right for _, right in chosen}) == len(chosen)
    assert chosen == sorted(chosen)
    return len(chosen), sum(costs[pair] for pair in chosen)


SHAPES = [
    (5, 5, 8, 20),
    (12, 7, 25, 5),
    (7, 12, 25, 3),
    (40, 40, 70, 10**13),
    (30, 30, 200, 1),
    (60, 50, 400, 1000),
]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def test_as_many_and_as_near_as_the_solver(seed: int, shape: tuple[int, int, int, int]) -> None:
    """Same number of pairs and same total cost as networkx, one to one."""
    costs = random_costs(Random(seed), *shape)
    assert checked(costs, choose(costs)) == solved(costs)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.tuples(st.integers(0, 6), st.integers(0, 6)), st.integers(0, 4), max_size=30))
def test_small_graphs_agree_with_the_solver(costs: Costs) -> None:
    """Small graphs full of ties: still most pairs, then least cost."""
    assert checked(costs, choose(costs)) == solved(costs)


@pytest.mark.parametrize("seed", range(10))
def test_order_of_the_rows_does_not_matter(seed: int) -> None:
    """The same pairs come out however the possible ones are ordered, ties included."""
    costs = random_costs(Random(seed), 20, 20, 80, 2)
    shuffled = list(costs.items())
    Random(seed + 1).shuffle(shuffled)
    assert choose(dict(shuffled)) == choose(costs)


def test_greed_would_leave_one_out() -> None:
    """The nearest pair is given up where it would cost another call its completion."""
    assert choose({(1, 1): 0, (1, 2): 9, (2, 1): 9}) == [(1, 2), (2, 1)]


def test_nothing_in_nothing_out() -> None:
    """No possible pair, no pair."""
    assert choose({}) == []
    assert list(blocks({})) == []


@pytest.mark.parametrize("seed", range(10))
def test_blocks_are_the_connected_parts(seed: int) -> None:
    """Every possible pair is in exactly one block, and blocks are the connected components."""
    costs = random_costs(Random(seed), 40, 40, 45, 9)
    found = list(blocks(costs))
    assert sum(map(len, found)) == len(costs)
    assert {pair: cost for block in found for pair, cost in block.items()} == costs
    graph = nx.Graph((("l", left), ("r", right)) for left, right in costs)
    nodes = {frozenset(node for a, b in block for node in (("l", a), ("r", b))) for block in found}
    assert nodes == {frozenset(component) for component in nx.connected_components(graph)}


@pytest.mark.parametrize("seed", range(10))
def test_fallback_is_one_to_one_and_leaves_no_pair_free(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block too large to solve is paired nearest first: one to one, and no possible pair is left over."""
    monkeypatch.setattr(module, "BLOCK_PAIRS_MAX", 3)
    costs = random_costs(Random(seed), 20, 20, 90, 50)
    chosen = choose(costs)
    count, _ = checked(costs, chosen)
    assert 2 * count >= solved(costs)[0]
    lefts, rights = {left for left, _ in chosen}, {right for _, right in chosen}
    assert all(left in lefts or right in rights for left, right in costs)
    assert min(costs.values()) in {costs[pair] for pair in chosen}


def test_small_blocks_stay_exact_beside_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the block that is too large falls back."""
    monkeypatch.setattr(module, "BLOCK_PAIRS_MAX", 4)
    large = {(a, b): abs(a - b) for a in range(10, 15) for b in range(10, 15)}
    small = {(1, 1): 0, (1, 2): 9, (2, 1): 9}
    assert choose(large | small)[:2] == [(1, 2), (2, 1)]


def test_rows_become_costs() -> None:
    """Rows of the ledger become the mapping that is solved."""
    assert costs_of([(1, 2, 3), (4, 5, 6)]) == {(1, 2): 3, (4, 5): 6}


def test_long_chain_does_not_recurse() -> None:
    """A chain of 9000 rivals is solved without deep recursion."""
    chain = {(n, m): 1 for n in range(9000) for m in (n, n + 1)}
    assert len(choose(chain)) == 9000
