"""Matching without ids: scores every possible pair, chooses one to one, and says how sure each pair is.

In: the edges that `edge.sql` selects, as columns. Out: for each edge its weight (a log-likelihood ratio against "no
match"), its terms, its probability and whether it was chosen. What is learnt for an hour depends only on the facts
in a fixed window of event time, so the order in which they arrived cannot matter. It refuses to call a pair sure
because it is the best one: the rivals of both sides and the chance of no match at all stand in its probability.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.correlate.choose import choose

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOUR_US = 3_600e6
WEIGHT_MIN = -6.0  # a pair that is e^6 times less likely than no match decides nothing
SCALE = 1_000_000  # weights as whole numbers for the exact choice
NO_COMPLETION = 0.04  # calls whose completion no log shows (lost entries, refused requests)
UNSEEN_SHARE = 0.05  # completions whose call nobody saw, at least
TAIL = 0.02  # delays far from the learnt distribution
END_SCALE_US = 250_000.0  # the delay between the backend's end and the observer's
END_SPREAD_US = 15e6  # how far the ends of unrelated calls of one block lie apart
SIZE_SPREAD = 800.0  # how many different output sizes unrelated calls have
INPUT_SPREAD = 1_000.0
ROUNDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Scored:
    """One row per edge: the terms of its weight, its probability, and whether it was chosen."""

    start: Floats
    end: Floats
    size: Floats
    kind: Floats
    weight: Floats
    probability: Floats
    chosen: Bools


def score(edge: Mapping[str, NDArray[np.generic]]) -> Scored:
    """Score, weigh and choose among `edge`, the columns of edge.sql."""
    column = {name: np.asarray(np.ma.filled(np.ma.asarray(values).astype(float), np.nan)) for name, values in (
        (name, values) for name, values in edge.items() if values.dtype != object)}  # fmt: skip
    _, racer = np.unique(column["attempt_no"].astype(np.int64), return_inverse=True)
    _, completion = np.unique(column["completion_no"].astype(np.int64), return_inverse=True)
    start = _start_term(column, edge, racer)
    end, size, kind = _end_term(column), _size_term(column), _kind_term(column)
    weight = start + end + size + kind
    probability = marginals(racer, completion, weight)
    return Scored(start, end, size, kind, weight, probability, best_choice(racer, completion, weight))


def _laplace(distance: Floats, scale: Floats | float) -> Floats:
    return np.asarray(np.exp(-np.abs(distance) / scale) / (2 * np.asarray(scale)), dtype=np.float64)


def _start_term(column: Mapping[str, Floats], edge: Mapping[str, NDArray[np.generic]], racer: Ints) -> Floats:
    """How well the receipt lies where this observer's calls are received, against the completions nobody claims."""
    shift, scale = _delays(column, edge, racer)
    density = (1 - TAIL) * _laplace(column["delay_us"] - shift, scale) + TAIL / 4e6
    unseen = UNSEEN_SHARE * np.maximum(column["block_completions"], 1.0) / HOUR_US
    weight = np.log(density) - np.log(unseen) + np.log((1 - NO_COMPLETION) / NO_COMPLETION)
    return np.asarray(weight, dtype=np.float64)


def _delays(
    column: Mapping[str, Floats], edge: Mapping[str, NDArray[np.generic]], racer: Ints
) -> tuple[Floats, Floats]:
    """Where and how wide the delays lie; an observer without exact matches learns from the hour's own peak."""
    shift, scale = column["shift_us"].copy(), column["scale_us"].copy()
    unlearnt = column["pairs"] < 8
    if not unlearnt.any():
        return shift, scale
    keys = np.stack([edge["source"].astype(str), edge["hour_at_us"].astype(str)], axis=1)
    for key in np.unique(keys[unlearnt], axis=0):
        of_key = (keys == key).all(axis=1)
        weights = np.exp(np.clip(_end_term_of(column, of_key) + _size_term_of(column, of_key), -8, 8))
        found = _peak(column["delay_us"][of_key], weights, len(np.unique(racer[of_key])))
        if found is not None:
            shift[of_key], scale[of_key] = found
    return shift, scale


def _peak(delays: Floats, weights: Floats, racers: int) -> tuple[float, float] | None:
    """The Laplace peak on an even ground in all possible delays of an hour, by expectation and maximisation."""
    if racers < 30:
        return None
    grid = np.arange(-2e6, 2e6 + 1, 20e3)
    heights, _ = np.histogram(delays, bins=grid, weights=np.minimum(weights, 50.0))
    smooth = np.convolve(heights, np.ones(3) / 3, mode="same")
    shift, scale, share = float(grid[int(np.argmax(smooth))] + 10e3), 50e3, 0.3
    for _ in range(30):
        inside = share * _laplace(delays - shift, scale) * weights
        belongs = inside / (inside + (1 - share) / 4e6)
        total = float(belongs.sum())
        if total < 10:
            return None
        order = np.argsort(delays)
        shift = float(delays[order][np.searchsorted(np.cumsum(belongs[order]), total / 2)])
        scale = max(5e3, float((belongs * np.abs(delays - shift)).sum() / total))
        share = min(0.95, total / len(delays))
    return shift, scale


def _end_term(column: Mapping[str, Floats]) -> Floats:
    """How well the two ends fit: a delivered call ends with its completion, an abandoned one usually before."""
    over, outcome, status = column["over_us"], column["outcome"], column["status"]
    near = np.log(0.95 * _laplace(over, END_SCALE_US) * END_SPREAD_US + 0.05)
    whole = np.isin(outcome, (1, 2)) & ~np.isnan(over)
    left = (outcome == 3) & ~np.isnan(over)
    term = np.zeros_like(over)
    term[whole] = near[whole]
    ran_on = left & (status == 0)
    term[ran_on] = np.where(over[ran_on] > -1e6, np.log(0.97 / 0.6), np.log(0.03 / 0.4))
    stopped = left & (status == 1)
    term[stopped] = near[stopped]
    return term


def _end_term_of(column: Mapping[str, Floats], rows: Bools) -> Floats:
    return _end_term({name: values[rows] for name, values in column.items()})


def _size_term(column: Mapping[str, Floats]) -> Floats:
    """How well the sizes fit: tokens received against tokens produced, and the input where the client said it."""
    got, made = column["tokens_received"], column["output_tokens"]
    term = np.zeros_like(got)
    whole = ~np.isnan(got) & (column["counted_whole"] > 0)
    term[whole] = np.where(got[whole] == made[whole], np.log(0.95 * SIZE_SPREAD / 2), np.log(0.05))
    part = ~np.isnan(got) & ~whole
    term[part] = np.where(got[part] > made[part], np.log(0.02), _partial(column, part))
    gap, of = column["input_gap"], np.maximum(column["input_tokens"], 1.0)
    told = ~np.isnan(gap)
    close = np.abs(gap[told]) / of[told]
    term[told] += np.where(gap[told] == 0, np.log(0.7 * INPUT_SPREAD), np.where(close < 0.1, np.log(2.0), np.log(0.15)))
    return term


def _size_term_of(column: Mapping[str, Floats], rows: Bools) -> Floats:
    return _size_term({name: values[rows] for name, values in column.items()})


def _partial(column: Mapping[str, Floats], rows: Bools) -> Floats:
    """Even generation: by the instant of the abort, about so much of the output had been made."""
    made, span = np.maximum(column["output_tokens"][rows], 1.0), np.maximum(column["span_us"][rows], 1.0)
    over = np.nan_to_num(column["over_us"][rows], nan=0.0)
    expected = np.clip(1 - over / span, 0.0, 1.0) * made
    expected = np.where(column["status"][rows] == 1, made, expected)
    distance = (column["tokens_received"][rows] - expected) / made
    width = np.where(column["first_byte_known"][rows] > 0, 0.05, 0.12)
    return np.log(0.75 * _laplace(distance, width) + 0.25)


def _kind_term(column: Mapping[str, Floats]) -> Floats:
    """Stream or not, how the backend says it ended, and ids that both have and that differ."""
    same = column["stream_same"]
    term = np.where(same > 0, np.log(0.995 / 0.5), np.where(same < 0, np.log(0.005 / 0.5), 0.0))
    good = column["outcome"] == 1
    term += np.where(good & (column["status"] != 0), np.log(0.02), 0.0)
    return term + np.where(column["ids_differ"] > 0, -4.0, 0.0)


def marginals(racer: Ints, completion: Ints, weight: Floats) -> Floats:
    """The probability of each pair over all one-to-one matchings, by belief propagation (exact on trees)."""
    odds = np.exp(np.clip(weight, -30, 60))
    to_completion = np.ones_like(odds)
    to_racer = np.ones_like(odds)
    for _ in range(ROUNDS_MAX):
        claim = odds * to_racer
        others = np.bincount(racer, claim)[racer] - claim
        new_completion = 1 / (1 + np.maximum(others, 0.0))
        claim = odds * new_completion
        others = np.bincount(completion, claim)[completion] - claim
        new_racer = 1 / (1 + np.maximum(others, 0.0))
        change = float(np.max(np.abs(new_racer - to_racer), initial=0.0))
        to_completion = new_completion
        to_racer = 0.3 * to_racer + 0.7 * new_racer if change > 1e-6 else new_racer
        if change < 1e-6:
            break
    joined = odds * to_completion * to_racer
    return np.asarray(joined / (1 + joined), dtype=np.float64)


def best_choice(racer: Ints, completion: Ints, weight: Floats) -> Bools:
    """The one-to-one choice of most weight; pairs worth less than no match are left out."""
    chosen = np.zeros(len(weight), dtype=bool)
    alive = weight > 0
    while alive.any():
        sure = _undisputed(racer, completion, weight, alive)
        if not sure.any():
            break
        chosen |= sure
        alive &= ~np.isin(racer, racer[sure]) & ~np.isin(completion, completion[sure])
    if alive.any():
        chosen |= _solved(racer, completion, weight, alive)
    return chosen


def _undisputed(racer: Ints, completion: Ints, weight: Floats, alive: Bools) -> Bools:
    """Pairs that some best choice holds: worth as much as the best other of both sides together."""
    value = np.where(alive, weight, 0.0)
    first_r, second_r = _two_best(racer, value)
    first_c, second_c = _two_best(completion, value)
    other_r = np.where(value >= first_r[racer], second_r[racer], first_r[racer])
    other_c = np.where(value >= first_c[completion], second_c[completion], first_c[completion])
    return alive & (value > other_r + other_c)


def _two_best(group: Ints, value: Floats) -> tuple[Floats, Floats]:
    """The largest and the second largest value of each group, 0 where there is none."""
    size = int(group.max()) + 1
    first, second = np.zeros(size), np.zeros(size)
    np.maximum.at(first, group, value)
    at_first = value >= first[group]
    twice = np.bincount(group[at_first], minlength=size) > 1
    np.maximum.at(second, group, np.where(at_first, 0.0, value))
    return first, np.where(twice, first, second)


def _solved(racer: Ints, completion: Ints, weight: Floats, alive: Bools) -> Bools:
    """The exact choice in what is left: leaving a call alone costs as much as its pairs are worth."""
    rows = np.flatnonzero(alive)
    ceiling = int(weight[rows].max() * SCALE) + 1
    costs = {(int(racer[row]), int(completion[row])): ceiling - int(weight[row] * SCALE) for row in rows.tolist()}
    pairs = set(choose(costs, alone=ceiling))
    chosen = np.zeros(len(weight), dtype=bool)
    for row in rows.tolist():
        chosen[row] = (int(racer[row]), int(completion[row])) in pairs
    return chosen
