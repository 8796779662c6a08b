"""Probabilities where calls may change places: against all matchings, one by one."""

from collections.abc import Iterator, Mapping
from itertools import product
from math import exp
from random import Random

import numpy as np
import pytest

from collector.correlate.loops import RIVALS_MAX
from collector.correlate.probable import _told, best_choice, marginals

Weights = Mapping[tuple[int, int], float]


def _matchings(weights: Weights, racers: int) -> Iterator[dict[int, int]]:
    """Every way in which each call has one completion or none, and no completion stands twice."""
    choices = [[None, *sorted(c for r, c in weights if r == racer)] for racer in range(racers)]
    for choice in product(*choices):
        taken = [one for one in choice if one is not None]
        if len(set(taken)) == len(taken):
            yield {racer: one for racer, one in enumerate(choice) if one is not None}


def _exact(weights: Weights, racers: int) -> dict[tuple[int, int], float]:
    """The probability of each pair over all matchings."""
    found = dict.fromkeys(weights, 0.0)
    whole = 0.0
    for matching in _matchings(weights, racers):
        worth = exp(sum(weights[pair] for pair in matching.items()))
        whole += worth
        for pair in matching.items():
            found[pair] += worth
    return {pair: worth / whole for pair, worth in found.items()}


def _columns(weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pairs = sorted(weights)
    return (
        np.array([racer for racer, _ in pairs]), np.array([completion for _, completion in pairs]),
        np.array([weights[pair] for pair in pairs]),
    )  # fmt: skip


def test_two_calls_that_fit_each_others_completions_are_not_sure() -> None:
    """Two pairs worth little more than the same two crosswise: belief propagation is sure of them, this is not."""
    weights = {(0, 0): 12.4, (0, 1): 12.0, (1, 0): 12.2, (1, 1): 12.7}
    racer, completion, weight = _columns(weights)
    chosen = best_choice(racer, completion, weight)
    told = _told(racer, completion, weight, chosen, np.ones(4, dtype=bool))
    exact = _exact(weights, 2)
    assert told == pytest.approx([exact[pair] for pair in sorted(weights)], abs=1e-5)
    assert exact[0, 0] == pytest.approx(1 / (1 + exp(-0.9)), abs=1e-3)
    assert marginals(racer, completion, weight)[0] > 0.98


@pytest.mark.parametrize("seed", range(40))
def test_probabilities_are_those_of_all_matchings(seed: int) -> None:
    """Of few calls with few completions, each with its own worth, the probabilities are exact."""
    rng = Random(seed)
    racers, completions = rng.randint(1, RIVALS_MAX + 1), rng.randint(1, 5)
    weights = {
        (racer, completion): rng.uniform(-3, 12)
        for racer in range(racers) for completion in range(completions) if rng.random() < 0.8
    }  # fmt: skip
    weights |= {(racer, racer): 13.0 + rng.random() for racer in range(min(racers, completions))}
    racer, completion, weight = _columns(weights)
    chosen = best_choice(racer, completion, weight)
    told = _told(racer, completion, weight, chosen, np.ones(len(weight), dtype=bool))
    exact = _exact(weights, racers)
    if len(set(racer[chosen].tolist())) == racers:  # an owner of nothing is no rival to be looked at
        assert told == pytest.approx([exact[pair] for pair in sorted(weights)], abs=1e-3)
    assert all(told[racer == one].sum() <= 1 + 1e-6 for one in range(racers))


def test_pairs_of_others_are_left_as_they_are() -> None:
    """Only the calls in question are weighed again."""
    weights = {(0, 0): 12.4, (0, 1): 12.0, (1, 0): 12.2, (1, 1): 12.7}
    racer, completion, weight = _columns(weights)
    chosen = best_choice(racer, completion, weight)
    told = _told(racer, completion, weight, chosen, racer == 0)
    assert told[2:] == pytest.approx(marginals(racer, completion, weight)[2:], abs=1e-6)
    assert told[0] < 0.8
