"""One completion for one attempt: the choice that pairs as many as possible, and among those the nearest.

In: for every possible pair of a left and a right node, a cost (a whole number, 0 or more). Out: pairs in which
no node stands twice. It refuses to be greedy: a pair left over would be money. Exact in every connected block up
to `BLOCK_PAIRS_MAX` pairs (successive shortest augmenting paths); larger blocks fall back to nearest-first, which
is bounded by sorting.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

BLOCK_PAIRS_MAX = 20_000

Costs = Mapping[tuple[int, int], int]


def choose(costs: Costs, alone: int | None = None) -> list[tuple[int, int]]:
    """The chosen (left, right) pairs, sorted; ties are broken by the order of the node numbers.

    Without `alone` as many as possible are paired, at the least cost. With it, leaving a left node without a
    partner costs that much, and the least cost in all decides.
    """
    chosen: list[tuple[int, int]] = []
    for block in blocks(costs):
        chosen.extend(_exact(block, alone) if len(block) <= BLOCK_PAIRS_MAX else _nearest_first(block))
    return sorted(chosen)


def blocks(costs: Costs) -> Iterator[dict[tuple[int, int], int]]:
    """The connected blocks of the graph of possible pairs, each with its own costs, smallest node first."""
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in costs:
        parent[root(("r", right))] = root(("l", left))
    grouped: dict[tuple[str, int], dict[tuple[int, int], int]] = defaultdict(dict)
    for pair in sorted(costs):
        grouped[root(("l", pair[0]))][pair] = costs[pair]
    yield from grouped.values()


def _exact(block: Costs, alone: int | None) -> list[tuple[int, int]]:
    """The least cost, leaving nodes alone included: one shortest augmenting path a left node, with potentials."""
    edges: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (left, right), cost in block.items():
        edges[left].append((right, cost))
    # Leaving a left node alone costs more than any rearrangement of the block could.
    alone = 2 * sum(block.values()) + 1 if alone is None else alone
    left_of: dict[int, int] = {}
    right_of: dict[int, int] = {}
    lower: dict[int, int] = defaultdict(int)  # potentials of the right nodes
    upper: dict[int, int] = {}  # potentials of the left nodes
    for left in sorted(edges):
        nothing = -left - 1  # a private right node that stands for "no completion"
        edges[left].append((nothing, alone))
        upper[left] = min(cost - lower[right] for right, cost in edges[left])
        _augment(left, edges, (left_of, right_of), upper, lower)
    return [(left, right) for right, left in left_of.items() if right >= 0]


def _augment(
    start: int,
    edges: Mapping[int, list[tuple[int, int]]],
    pairing: tuple[dict[int, int], dict[int, int]],
    upper: dict[int, int],
    lower: dict[int, int],
) -> None:
    """Extend the pairing (left of right, right of left) by `start` along the path of least reduced cost."""
    left_of, right_of = pairing
    distance: dict[int, int] = {}
    via: dict[int, int] = {}
    settled: list[int] = []
    heap: list[tuple[int, int, int]] = [(c - upper[start] - lower[r], r, start) for r, c in edges[start]]
    heapq.heapify(heap)
    while True:
        reach, right, left = heapq.heappop(heap)
        if right in distance:
            continue
        distance[right], via[right] = reach, left
        if right not in left_of:
            break
        settled.append(right)
        owner = left_of[right]
        for nxt, cost in edges[owner]:
            if nxt not in distance:
                heapq.heappush(heap, (reach + cost - upper[owner] - lower[nxt], nxt, owner))
    upper[start] += reach
    for seen in settled:
        upper[left_of[seen]] += reach - distance[seen]
        lower[seen] -= reach - distance[seen]
    while True:
        left = via[right]
        previous = right_of.get(left)
        left_of[right], right_of[left] = left, right
        if left == start or previous is None:
            return
        right = previous


def _nearest_first(block: Costs) -> list[tuple[int, int]]:
    """Cheapest pairs first; for blocks too large to solve."""
    lefts: set[int] = set()
    rights: set[int] = set()
    chosen = []
    for (left, right), _ in sorted(block.items(), key=lambda item: (item[1], item[0])):
        if left not in lefts and right not in rights:
            lefts.add(left)
            rights.add(right)
            chosen.append((left, right))
    return chosen


def costs_of(rows: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int], int]:
    """Rows (left, right, cost) as a mapping."""
    return {(left, right): cost for left, right, cost in rows}
