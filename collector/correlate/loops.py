"""Probabilities where calls and completions could change places: exact in the surroundings of a call.

In: the possible pairs of an hour, what belief propagation says of each, and a choice. Out: for each pair of the calls
in question its probability over all one-to-one matchings of the call, the owners of the completions that it may
be, and these completions; what lies further off counts as belief propagation has it. That alone would be exact on
trees, but not on rings: where two calls fit each other's completions nearly as well, it goes round the ring, takes
its own word for news, and is sure of what is nearly even. It refuses to look at more than a few rivals at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

COMPLETIONS_MAX = 8  # of one call; the likeliest
RIVALS_MAX = 3  # of the owners of those; the ones that change places most easily
BATCH = 4096  # calls at once, which bounds memory


@dataclass(frozen=True, slots=True)
class Graph:
    """One row per pair: its two sides, its weight, and what each side of it leaves for the other."""

    racer: Ints
    completion: Ints
    weight: Floats
    odds: Floats
    to_completion: Floats  # how free the call is, as the pair's completion hears it
    to_racer: Floats  # how free the completion is, as the pair's call hears it

    @property
    def claim(self) -> Floats:
        """What the pair's completion hears of the pair's call."""
        return self.odds * self.to_completion

    @property
    def offer(self) -> Floats:
        """What the pair's call hears of the pair's completion."""
        return self.odds * self.to_racer


def around(graph: Graph, chosen: Bools, wanted: Bools, probability: Floats) -> Floats:
    """`probability` with the pairs of the calls that have a `wanted` pair weighed again, each with its rivals."""
    found = probability.copy()
    if not wanted.any():
        return found
    index = _Index(graph, chosen)
    racers = np.unique(graph.racer[wanted])
    for start in range(0, len(racers), BATCH):
        rows, values = index.weighed(racers[start : start + BATCH])
        found[rows] = values
    return found


class _Index:
    """The pairs of a graph, to be found by their call, or by both of their sides."""

    def __init__(self, graph: Graph, chosen: Bools) -> None:
        self.graph = graph
        self.claim, self.offer = graph.claim, graph.offer
        self.claims = np.bincount(graph.completion, self.claim)
        self.offers = np.bincount(graph.racer, self.offer)
        self.width = int(graph.completion.max()) + 1
        key = graph.racer * self.width + graph.completion
        self.by_key = np.argsort(key, kind="stable")
        self.key = key[self.by_key]
        self.by_racer = np.lexsort((-graph.weight, graph.racer))
        self.first = np.searchsorted(graph.racer[self.by_racer], np.arange(int(graph.racer.max()) + 2))
        self.owner = np.full(self.width, -1)
        self.owner[graph.completion[chosen]] = graph.racer[chosen]
        self.owned = np.full(int(graph.racer.max()) + 1, -1)
        self.owned[graph.racer[chosen]] = graph.completion[chosen]

    def pair(self, racer: Ints, completion: Ints) -> Ints:
        """The row of each pair, -1 where there is none."""
        key = np.where((racer >= 0) & (completion >= 0), racer * self.width + completion, -1)
        at = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[at] == key, self.by_key[at], -1)

    def weighed(self, racer: Ints) -> tuple[Ints, Floats]:
        """All rows of these calls, and the probability of each."""
        graph = self.graph
        begin, end = self.first[racer], self.first[racer + 1]
        place = begin[:, None] + np.arange(COMPLETIONS_MAX)
        own = np.where(place < end[:, None], self.by_racer[np.minimum(place, len(self.by_racer) - 1)], -1)
        completion = np.where(own >= 0, graph.completion[own], -1)
        rival = self._rivals(racer, own, completion)
        pair = self.pair(rival[:, :, None], completion[:, None, :])
        others = self.claims[completion] - _taken(self.claim, own) - _taken(self.claim, pair).sum(axis=1)
        free = np.where(own >= 0, 1 / (1 + np.maximum(others, 0.0)), 0.0)
        alone = 1 + np.maximum(self.offers[racer] - _taken(self.offer, own).sum(axis=1), 0.0)
        away = np.where(rival >= 0, 1 + np.maximum(self.offers[rival] - _taken(self.offer, pair).sum(axis=2), 0.0), 1.0)
        share, none = _shares(_taken(graph.odds, own) * free, _taken(graph.odds, pair) * free[:, None, :], alone, away)
        rows = self.by_racer[np.concatenate([np.arange(a, b) for a, b in zip(begin, end, strict=True)])]
        values = np.repeat(none / alone, end - begin) * self.offer[rows]  # beyond the likeliest
        at = np.repeat(np.arange(len(racer)), end - begin)
        inside = np.concatenate([np.arange(n) for n in end - begin])
        near = inside < COMPLETIONS_MAX
        values[near] = share[at[near], inside[near]]
        return rows, values

    def _rivals(self, racer: Ints, own: Ints, completion: Ints) -> Ints:
        """The owners of the completions of each call, those first that lose least by changing places with it."""
        owner = np.where(completion >= 0, self.owner[completion], -1)
        owner = np.where(owner == racer[:, None], -1, owner)
        weight = self.graph.weight
        back = self.pair(owner, np.broadcast_to(self.owned[racer][:, None], owner.shape))
        lost = _taken(weight, self.pair(owner, completion))
        gain = _taken(weight, own) - lost + np.maximum(_taken(weight, back), 0.0)
        order = np.argsort(np.where(owner >= 0, -gain, np.inf), axis=1, kind="stable")[:, :RIVALS_MAX]
        return np.take_along_axis(owner, order, axis=1)


def _taken(values: Floats, rows: Ints) -> Floats:
    """The values of these rows, 0 where there is none."""
    return np.where(rows >= 0, values[rows], 0.0)


def _shares(own: Floats, rival: Floats, alone: Floats, away: Floats) -> tuple[Floats, Floats]:
    """For each call the probability of each of its completions and of none of them.

    `own` (call, completion) and `rival` (call, rival, completion) are odds; `alone` and `away` what it is worth that
    the call, or a rival, has none of these completions. Sums over all matchings, by the set of the rivals that have
    one so far and by the completion of the call.
    """
    calls, rivals, completions = rival.shape
    sets = np.arange(1 << rivals)
    worth = np.zeros((calls, len(sets), completions + 1))
    worth[:, 0, completions] = 1.0
    for number in range(completions):
        before = worth.copy()
        for one in range(rivals):
            without = sets[sets >> one & 1 == 0]
            worth[:, without | 1 << one] += before[:, without] * rival[:, one, number, None, None]
        worth[:, :, number] += before[:, :, completions] * own[:, number, None]
    left = np.ones((calls, len(sets)))
    for one in range(rivals):
        left *= np.where(sets >> one & 1, 1.0, away[:, one, None])
    total = np.einsum("csm,cs->cm", worth, left)
    total[:, completions] *= alone
    total /= total.sum(axis=1, keepdims=True)
    return total[:, :completions], total[:, completions]
