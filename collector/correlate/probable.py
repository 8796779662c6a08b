"""Matching without ids: scores every possible pair, chooses one to one, and says how sure each pair is.

In: the columns of edge_column.sql. Out: for each edge its weight (a log-likelihood ratio against "no match"), its
terms, its probability and whether it was chosen. Clocks and delays that no exact match teaches are learnt from the
likeliest pairs of the hour. What is said of an hour depends only on the facts in a fixed window of event time, so the
order in which they arrived cannot matter. It refuses to call a pair sure because it is the best one: the rivals of
both sides and the chance of no match at all stand in its probability.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.correlate import loops
from collector.correlate.choose import choose

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = Mapping[str, Floats]  # of edge_column.sql; what is unknown is NaN

HOUR_US = 3_600e6
WEIGHT_MIN = -6.0  # a pair that is e^6 times less likely than no match decides nothing
SCALE = 1_000_000  # weights as whole numbers for the exact choice
PLACES = 6  # of a weight and a probability: the order of sums must not show in them
NO_COMPLETION = 0.04  # calls whose completion no log shows (lost entries, refused requests)
UNSEEN_SHARE = 0.05  # completions whose call nobody saw, at least
TAIL = 0.05  # delays far from the learnt distribution
TAIL_US = 4e6  # over which they lie
END_SCALE_US = 250_000.0  # the delay between the backend's end and the observer's, as long as nothing is learnt
STOP_SCALE_US = 100_000.0  # a backend takes its time to stop
END_SPREAD_US = 15e6  # how far the ends of unrelated calls of one block lie apart
RUN_ON_US = 15e6  # how long backends run on after an abort
SIZE_SPREAD = 800.0  # how many different output sizes unrelated calls have
INPUT_SPREAD = 1_000.0
ROUNDS_MAX = 60
LEARNING_ROUNDS = 3
LEARNT_MIN = 8  # pairs; below, what was believed before is kept
IMAGINED = 4  # pairs of the scale before, so that a handful of samples is not believed too much


@dataclass(frozen=True, slots=True)
class Scored:
    """One row per edge: the terms of its weight, its probability, whether it was chosen, and what was learnt."""

    start: Floats
    end: Floats
    size: Floats
    kind: Floats
    weight: Floats
    probability: Floats
    chosen: Bools
    end_shift: Floats  # of its observer's clock, microseconds


@dataclass(frozen=True, slots=True)
class Clock:
    """For each edge, in microseconds: how far the backend's receipt and end lie after its observer's; how widely."""

    shift: Floats
    scale: Floats
    end_shift: Floats
    end_scale: Floats


def score(edge: Mapping[str, NDArray[np.generic]]) -> Scored:
    """Score, weigh and choose among `edge`, the columns of edge_column.sql, each hour for itself.

    Hours share nothing, so that what is said of one cannot depend on which others are drawn in the same run.
    """
    column = {
        name: np.asarray(np.ma.filled(np.ma.asarray(values).astype(float), np.nan)) for name, values in edge.items()
    }
    order = np.argsort(column["hour_at_us"], kind="stable")
    hours = np.split(order, np.flatnonzero(np.diff(column["hour_at_us"][order])) + 1)
    parts = [_score_hour({name: values[rows] for name, values in column.items()}) for rows in hours]
    back = np.argsort(order, kind="stable")
    return Scored(*(np.concatenate([getattr(part, name) for part in parts])[back] for name in Scored.__slots__))


def _score_hour(column: Columns) -> Scored:
    """Learn the clocks from the likeliest pairs, which the clocks make likelier, a few times; then choose."""
    _, racer = np.unique(column["attempt_no"].astype(np.int64), return_inverse=True)
    _, completion = np.unique(column["completion_no"].astype(np.int64), return_inverse=True)
    kind = _kind_term(column)
    clock = _first_guess(column, racer)
    for _ in range(LEARNING_ROUNDS):
        weight = _weight(_start_term(column, clock), _end_term(column, clock), _size_term(column, clock), kind)
        clock = _learn(column, _probability(racer, completion, weight, 1e-3), clock)
    start, end, size = _start_term(column, clock), _end_term(column, clock), _size_term(column, clock)
    weight = _weight(start, end, size, kind)
    chosen = best_choice(racer, completion, weight)
    probability = _told(racer, completion, weight, chosen, column["is_suspect"] > 0)
    return Scored(start, end, size, kind, weight, probability, chosen, clock.end_shift)


def _weight(*terms: Floats) -> Floats:
    return np.asarray(np.round(np.sum(terms, axis=0), PLACES), dtype=np.float64)


def _probability(racer: Ints, completion: Ints, weight: Floats, precision: float) -> Floats:
    """The marginals of the pairs that may decide something; 0 for the others."""
    probability = np.zeros_like(weight)
    rows = np.flatnonzero(weight > WEIGHT_MIN)
    probability[rows] = marginals(racer[rows], completion[rows], weight[rows], precision)
    return np.round(probability, PLACES)


def _told(racer: Ints, completion: Ints, weight: Floats, chosen: Bools, suspect: Bools) -> Floats:
    """The same as it is put on record: weighed again for the suspects, where calls may change places."""
    probability = np.zeros_like(weight)
    rows = np.flatnonzero(weight > WEIGHT_MIN)
    graph = loops.Graph(
        racer[rows], completion[rows], weight[rows], *_messages(racer[rows], completion[rows], weight[rows], 1e-7)
    )
    probability[rows] = loops.around(graph, chosen[rows], suspect[rows], _joined(graph))
    return np.round(probability, PLACES)


# Clocks -------------------------------------------------------------------------------------------------


def _laplace(distance: Floats, scale: Floats | float) -> Floats:
    return np.asarray(np.exp(-np.abs(distance) / scale) / (2 * np.asarray(scale)), dtype=np.float64)


def _share_below(distance: Floats, scale: Floats) -> Floats:
    """The share of a Laplace distribution that lies below `distance`."""
    half = np.exp(-np.abs(distance) / scale) / 2
    return np.asarray(np.where(distance < 0, half, 1 - half), dtype=np.float64)


def _first_guess(column: Columns, racer: Ints) -> Clock:
    """What the exact matches taught, or the hour's own peak; ends are taken to lie where the starts do."""
    shift, scale = column["shift_us"].copy(), column["scale_us"].copy()
    for rows in _by_source(column):
        told = rows[~np.isnan(column["delay_us"][rows])]
        if column["pairs"][rows[0]] >= LEARNT_MIN or not len(told):
            continue
        weights = np.exp(np.clip(_fit({name: values[told] for name, values in column.items()}), -8, 8))
        found = _peak(column["delay_us"][told], weights, len(np.unique(racer[told])))
        if found is not None:
            shift[rows], scale[rows] = found
    return Clock(shift, scale, shift.copy(), np.full_like(shift, END_SCALE_US))


def _by_source(column: Columns) -> list[Ints]:
    """The edges of each observer."""
    order = np.argsort(column["source_no"], kind="stable")
    return np.split(order, np.flatnonzero(np.diff(column["source_no"][order])) + 1)


def _fit(column: Columns) -> Floats:
    """How well ends and sizes fit, as long as nothing is known of the clocks."""
    delay = column["delay_us"]  # an end as far off as its start is near its end
    wide = np.full_like(delay, END_SCALE_US)
    clock = Clock(delay, wide, delay, wide)
    return _end_term(column, clock) + _size_term(column, clock)


def _peak(delays: Floats, weights: Floats, racers: int) -> tuple[float, float] | None:
    """The Laplace peak on an even ground in all possible delays of an hour, by expectation and maximisation."""
    if racers < 30:
        return None
    order = np.argsort(delays, kind="stable")
    delays, weights = delays[order], weights[order]
    grid = np.arange(-2e6, 2e6 + 1, 20e3)
    heights, _ = np.histogram(delays, bins=grid, weights=np.minimum(weights, 50.0))
    smooth = np.convolve(heights, np.ones(3) / 3, mode="same")
    shift, scale, share = float(grid[int(np.argmax(smooth))] + 10e3), 50e3, 0.3
    for _ in range(30):
        inside = share * _laplace(delays - shift, scale) * weights
        belongs = inside / (inside + (1 - share) / TAIL_US)
        total = float(belongs.sum())
        if total < 10:
            return None
        shift = float(delays[np.searchsorted(np.cumsum(belongs), total / 2)])
        scale = max(5e3, float((belongs * np.abs(delays - shift)).sum() / total))
        share = min(0.95, total / len(delays))
    return shift, scale


def _learn(column: Columns, probability: Floats, clock: Clock) -> Clock:
    """The clocks again, from the pairs of each observer as far as they are sure; exact matches know better."""
    shift, scale = clock.shift.copy(), clock.scale.copy()
    end_shift, end_scale = clock.end_shift.copy(), clock.end_scale.copy()
    for rows in _by_source(column):
        told = rows[~np.isnan(column["delay_us"][rows])]
        if column["pairs"][rows[0]] < LEARNT_MIN and probability[told].sum() >= LEARNT_MIN:
            shift[rows], scale[rows] = _middle(column["delay_us"][told], probability[told], float(scale[rows[0]]))
        whole = rows[(column["outcome"][rows] == 1) & ~np.isnan(column["over_us"][rows])]
        if probability[whole].sum() >= LEARNT_MIN:
            end_shift[rows], end_scale[rows] = _middle(column["over_us"][whole], probability[whole], END_SCALE_US)
        else:
            end_shift[rows] = shift[rows]
    return Clock(shift, scale, end_shift, end_scale)


def _middle(values: Floats, weights: Floats, scale_before: float) -> tuple[float, float]:
    """The weighted median and the mean distance from it, with a few imagined values of the scale before."""
    order = np.argsort(values, kind="stable")
    total = float(weights.sum())
    middle = float(values[order][np.searchsorted(np.cumsum(weights[order]), total / 2)])
    distance = np.minimum(np.abs(values - middle), 1e6)
    scale = (float((weights * distance).sum()) + IMAGINED * min(scale_before, 150e3)) / (total + IMAGINED)
    return middle, max(5e3, scale)


# Terms --------------------------------------------------------------------------------------------------


def _start_term(column: Columns, clock: Clock) -> Floats:
    """How well the receipt lies where this observer's calls are received, against the completions nobody claims."""
    density = (1 - TAIL) * _laplace(column["delay_us"] - clock.shift, clock.scale) + TAIL / TAIL_US
    density = np.where(np.isnan(column["delay_us"]), _finish_density(column, clock), density)
    unseen = UNSEEN_SHARE * np.maximum(column["block_completions"], 1.0) / HOUR_US
    weight = np.log(density) - np.log(unseen) + np.log((1 - NO_COMPLETION) / NO_COMPLETION)
    return np.asarray(weight, dtype=np.float64)


def _finish_density(column: Columns, clock: Clock) -> Floats:
    """The same by the finish, where no receipt is known: at the end of a call that went well, or after it was left."""
    after = column["over_us"] - clock.end_shift
    kept = np.isin(column["outcome"], (1, 2)) | (column["status"] == 1)
    ran_on = np.where(after >= 0, np.exp(-np.abs(after) / RUN_ON_US) / RUN_ON_US, TAIL / TAIL_US)
    density = np.where(kept, (1 - TAIL) * _laplace(after, clock.end_scale) + TAIL / TAIL_US, ran_on)
    return np.where(np.isnan(after), 1 / (2 * RUN_ON_US), density)


def _end_term(column: Columns, clock: Clock) -> Floats:
    """How well the two ends fit: a delivered call ends with its completion, an abandoned one usually before."""
    over, outcome, status = column["over_us"], column["outcome"], column["status"]
    after = over - clock.end_shift
    near = _near(after, clock.end_scale)
    # What a backend stops, it stops when the news has arrived, which travels as a request does.
    stop = _near(over - clock.shift, np.maximum(clock.scale, STOP_SCALE_US))
    term = np.zeros_like(over)
    whole = np.isin(outcome, (1, 2))
    term[whole] = near[whole]
    ran_on = (outcome == 3) & (status == 0)
    # Seldom had all arrived before a call was left; the clocks leave open which of the two came first.
    later = _share_below(after[ran_on], clock.end_scale[ran_on])
    term[ran_on] = np.log(later * 0.97 / 0.6 + (1 - later) * 0.03 / 0.4)
    stopped = (outcome == 3) & (status == 1)
    term[stopped] = stop[stopped]
    # Without a receipt the finish has been weighed already.
    term[np.isnan(over) | np.isnan(column["delay_us"])] = 0.0
    return term


def _near(distance: Floats, scale: Floats) -> Floats:
    return np.asarray(np.log(0.95 * _laplace(distance, scale) * END_SPREAD_US + 0.05), dtype=np.float64)


def _size_term(column: Columns, clock: Clock) -> Floats:
    """How well the sizes fit: tokens received against tokens produced, and the input where the client said it."""
    got, made = column["tokens_received"], column["output_tokens"]
    term = np.zeros_like(got)
    whole = ~np.isnan(got) & (column["counted_whole"] > 0)
    term[whole] = np.where(got[whole] == made[whole], np.log(0.95 * SIZE_SPREAD / 2), np.log(0.05))
    part = ~np.isnan(got) & ~whole
    term[part] = np.where(got[part] > made[part], np.log(0.02), _partial(column, part, clock))
    gap, of = column["input_gap"], np.maximum(column["input_tokens"], 1.0)
    told = ~np.isnan(gap)
    close = np.abs(gap[told]) / of[told]
    term[told] += np.where(gap[told] == 0, np.log(0.7 * INPUT_SPREAD), np.where(close < 0.1, np.log(2.0), np.log(0.15)))
    return term


def _partial(column: Columns, rows: Bools, clock: Clock) -> Floats:
    """Even generation: by the instant of the abort, about so much of the output had been made."""
    made, span = np.maximum(column["output_tokens"][rows], 1.0), np.maximum(column["span_us"][rows], 1.0)
    over = np.nan_to_num((column["over_us"] - clock.end_shift)[rows], nan=0.0)
    expected = np.clip(1 - over / span, 0.0, 1.0) * made
    expected = np.where(column["status"][rows] == 1, made, expected)
    distance = (column["tokens_received"][rows] - expected) / made
    width = np.where(column["first_byte_known"][rows] > 0, 0.05, 0.12)
    return np.asarray(np.log(0.75 * _laplace(distance, width) + 0.25), dtype=np.float64)


def _kind_term(column: Columns) -> Floats:
    """Stream or not, how the backend says it ended, and ids that both have and that differ."""
    same = column["stream_same"]
    term = np.where(same > 0, np.log(0.995 / 0.5), np.where(same < 0, np.log(0.005 / 0.5), 0.0))
    good = column["outcome"] == 1
    term += np.where(good & (column["status"] != 0), np.log(0.02), 0.0)
    return term + np.where(column["ids_differ"] > 0, -4.0, 0.0)


# Choice -------------------------------------------------------------------------------------------------


def marginals(racer: Ints, completion: Ints, weight: Floats, precision: float = 1e-7) -> Floats:
    """The probability of each pair over all one-to-one matchings, by belief propagation (exact on trees).

    It ends when no message changes by more than `precision`, or after ROUNDS_MAX rounds.
    """
    return _joined(loops.Graph(racer, completion, weight, *_messages(racer, completion, weight, precision)))


def _joined(graph: loops.Graph) -> Floats:
    joined = graph.claim * graph.to_racer
    return np.asarray(joined / (1 + joined), dtype=np.float64)


def _messages(racer: Ints, completion: Ints, weight: Floats, precision: float) -> tuple[Floats, Floats, Floats]:
    """The odds of each pair, and how free each side of it is for the other, as its other pairs have it."""
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
        to_racer = 0.3 * to_racer + 0.7 * new_racer if change > precision else new_racer
        if change < precision:
            break
    return odds, to_completion, to_racer


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
