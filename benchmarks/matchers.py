"""The contenders of benchmarks/matching.py: nearest in time, an oracle, and Splink 5.

In: the parsed rows of one world. Out: for each call the completion that the contender gives it. What an id
joins is joined before they are asked, by the same rule for all (`by_id`).
"""

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collector.correlate.choose import choose
from tests.world import World

SPLINK_MIN = 0.01  # its best here: at 0.5 it misses a quarter of the pairs
REACH_US = 2_000_000  # clock_skew of the config: how far apart any contender looks
LEVELS_US = (50_000, 100_000, 200_000, 400_000, 800_000)
Pairs = Mapping[int, str]  # call_no -> completion_id


@dataclass(frozen=True, slots=True)
class Frames:
    """One world as its logs tell it: a row a call and observer, a row a completion, and what is true.

    `call.call_no` numbers the rows. `truth` has every abort's call_no and its completion; `call.attempt` the
    name of the call that a row belongs to, for the oracle only.
    """

    world: World
    call: pd.DataFrame
    completion: pd.DataFrame
    truth: Mapping[int, str | None]
    ours: Pairs
    ours_seconds: float


def by_id(frames: Frames) -> dict[int, str]:
    """What an id joins, the nearest start first where several calls share it."""
    call, completion = frames.call, frames.completion
    found = []
    for left, right in (
        (["request_id"], ["request_id"]), (["received_request_id"], ["request_id"]),
        (["trace_id", "span_id"], ["trace_id", "span_id"]), (["response_id"], ["response_id"]),
    ):  # fmt: skip
        known = completion.dropna(subset=right)[[*right, "completion_id", "received_at_us"]]
        known.columns = [*left, "completion_id", "received_at_us"]
        joined = call.dropna(subset=left)[[*left, "call_no", "source", "started_at_us"]].merge(known, on=left)
        found.append(joined[["call_no", "source", "completion_id", "started_at_us", "received_at_us"]])
    pairs = pd.concat(found).drop_duplicates(["call_no", "completion_id"])
    pairs["distance"] = (pairs.received_at_us - pairs.started_at_us).abs()
    return _spread(call, greedy(pairs))


def _spread(call: pd.DataFrame, chosen: dict[int, str]) -> dict[int, str]:
    """What one observer's row has found by an id is also another's whose row shares an id with it."""
    names = ["call_no", "source", "started_at_us"]
    got = call[call.call_no.isin(list(chosen))].assign(completion_id=lambda f: f.call_no.map(chosen))
    rest = call[~call.call_no.isin(list(chosen))]
    found = []
    for left, right in (
        ("request_id", "received_request_id"), ("received_request_id", "request_id"),
        ("request_id", "request_id"),
    ):  # fmt: skip
        known = got.dropna(subset=[right])[[*names, right, "completion_id"]].rename(columns={right: left})
        joined = rest.dropna(subset=[left])[[*names, left]].merge(known, on=left, suffixes=("", "_b"))
        found.append(joined[joined.source != joined.source_b])
    pairs = pd.concat(found)
    pairs["distance"] = (pairs.started_at_us_b - pairs.started_at_us).abs()
    return chosen | greedy(pairs)


def greedy(pairs: pd.DataFrame) -> dict[int, str]:
    """The least `distance` first; each call once, each completion once an observer."""
    calls: set[int] = set()
    completions: set[tuple[str, str]] = set()
    chosen: dict[int, str] = {}
    ordered = pairs.sort_values("distance", kind="stable")
    for call_no, source, completion in zip(ordered.call_no, ordered.source, ordered.completion_id, strict=True):
        if call_no not in calls and (source, completion) not in completions:
            calls.add(call_no)
            completions.add((source, completion))
            chosen[call_no] = completion
    return chosen


# Contenders ---------------------------------------------------------------------------------------------


def nearest(_frames: Frames, call: pd.DataFrame, completion: pd.DataFrame) -> Pairs:
    """What a user writes in an afternoon: merge_asof by model and account, nearest pairs first."""
    right = completion[["model", "account", "received_at_us", "completion_id"]].sort_values("received_at_us")
    rest = call[["model", "account", "started_at_us", "call_no", "source"]].sort_values("started_at_us")
    chosen: dict[int, str] = {}
    for _, of_source in rest.groupby("source"):
        left, free = of_source, right
        for _ in range(5):  # who lost the nearest tries what is left
            joined = pd.merge_asof(
                left, free, left_on="started_at_us", right_on="received_at_us", by=["model", "account"],
                direction="nearest", tolerance=REACH_US,
            ).dropna(subset=["completion_id"])  # fmt: skip
            joined["distance"] = (joined.received_at_us - joined.started_at_us).abs()
            got = greedy(joined)
            chosen |= got
            left = left[~left.call_no.isin(list(got))]
            free = free[~free.completion_id.isin(set(got.values()))]
            if not got or left.empty or free.empty:
                break
    return chosen


def oracle(frames: Frames, call: pd.DataFrame, completion: pd.DataFrame) -> Pairs:
    """The most likely one-to-one choice by the true delays of each observer, knowing which rows are one call.

    Rows of one call are independent witnesses: their log-likelihoods add up.
    """
    pairs = call.merge(completion, on=["model", "account"], suffixes=("", "_b"))
    pairs = pairs[(pairs.received_at_us - pairs.started_at_us).abs() <= REACH_US].copy()
    pairs["weight"] = _start_weight(frames, pairs) + _end_weight(frames, pairs) + _size_weight(pairs)
    summed = pairs.groupby(["attempt", "completion_id"]).weight.sum()
    attempts = {name: no for no, name in enumerate(summed.index.get_level_values(0).unique())}
    works = {name: no for no, name in enumerate(summed.index.get_level_values(1).unique())}
    scaled = {(attempts[a], works[c]): round(weight * 1e4) for (a, c), weight in summed.items() if weight > 0}
    if not scaled:
        return {}
    ceiling = max(scaled.values()) + 1
    best = choose({pair: ceiling - weight for pair, weight in scaled.items()}, alone=ceiling)
    work_of = {list(attempts)[a]: list(works)[c] for a, c in best}
    return {no: work_of[name] for no, name in zip(call.call_no, call.attempt, strict=True) if name in work_of}


def _density(values: pd.Series, at: pd.Series) -> np.ndarray[Any, Any]:
    """A histogram of the truth, smoothed, with a little everywhere."""
    edges = np.linspace(-REACH_US, REACH_US, 801)
    heights, _ = np.histogram(values.clip(-REACH_US, REACH_US - 1), bins=edges)
    smooth = np.convolve(heights, np.exp(-(np.linspace(-2, 2, 9) ** 2)), mode="same") + 1e-3 * max(len(values), 1) / 800
    place = np.clip(((at.to_numpy(dtype=float) + REACH_US) / (edges[1] - edges[0])).astype(int), 0, 799)
    return np.asarray(np.log(smooth[place] / smooth.sum() * 800))


def _true_pairs(frames: Frames) -> pd.DataFrame:
    return frames.call.merge(frames.completion, left_on="true_id", right_on="completion_id", suffixes=("", "_b"))


def _start_weight(frames: Frames, pairs: pd.DataFrame) -> np.ndarray[Any, Any]:
    true, weight = _true_pairs(frames), np.zeros(len(pairs))
    for source in pairs.source.unique():
        delay = (true.received_at_us - true.started_at_us)[true.source == source]
        mine = (pairs.source == source).to_numpy()
        weight[mine] = _density(delay, (pairs.received_at_us - pairs.started_at_us)[mine])
    return weight


def _end_weight(frames: Frames, pairs: pd.DataFrame) -> np.ndarray[Any, Any]:
    true, weight = _true_pairs(frames), np.zeros(len(pairs))
    kind = ["source", "outcome", "status"]
    for key, mine in pairs.groupby(kind).indices.items():
        like = true[(true[kind] == list(key)).all(axis=1)]
        gap = (pairs.finished_at_us - pairs.ended_at_us).iloc[mine]
        if key[1:] == ("aborted", "ok"):
            continue  # how long a backend runs on says next to nothing
        weight[mine] = _density(like.finished_at_us - like.ended_at_us, gap) if len(like) else -4.0
    return weight


def _size_weight(pairs: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Sizes that are told: output of delivered calls, input as the client counted it, stream or not."""
    got, made = pairs.output_tokens_received, pairs.output_tokens
    whole = (pairs.outcome == "delivered") & got.notna()
    weight = np.where(whole, np.where(got == made, 6.0, -4.0), np.where(got > made, -4.0, 0.0))
    entry = pairs.input_tokens_b + pairs.cached_input_tokens
    weight = weight + np.where(pairs.input_tokens.notna(), np.where(pairs.input_tokens == entry, 6.0, -4.0), 0.0)
    return np.asarray(weight + np.where(pairs.stream == pairs.stream_b, 0.7, -4.0))


def splink_pairs(_frames: Frames, call: pd.DataFrame, completion: pd.DataFrame) -> Pairs:
    """Splink 5: levels of time differences and sizes, weights by its own estimation, then greedy."""
    import splink.comparison_level_library as level
    import splink.comparison_library as comparison
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    if call.empty or completion.empty:
        return {}

    def apart(name: str) -> Any:
        gap = f"abs({name}_l - {name}_r)"
        cuts = [level.CustomLevel(f"{gap} <= {us}", label_for_charts=f"{us}") for us in LEVELS_US]
        return comparison.CustomComparison(
            output_column_name=name, comparison_levels=[level.NullLevel(name), *cuts, level.ElseLevel()]
        )

    settings = SettingsCreator(
        link_type="link_only", probability_two_random_records_match=1 / max(len(completion), 2),
        comparisons=[apart("begin_us"), apart("end_us"), comparison.ExactMatch("entry"),
                     comparison.ExactMatch("made"), comparison.ExactMatch("stream")],
        blocking_rules_to_generate_predictions=[
            block_on("model", "account", "cell"), block_on("model", "account", "shifted_cell")],
    )  # fmt: skip
    warnings.simplefilter("ignore")
    chosen: dict[int, str] = {}
    for _, mine in call.groupby("source"):
        api = DuckDBAPI()
        left, right = api.register(_splink_calls(mine)), api.register(_splink_works(completion))
        linker = Linker([left, right], settings, log_level="ERROR")
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on("model", "account", "cell"))
        except ValueError as trouble:  # too few pairs of an observer to learn from
            print(f"SPLINK LEARNT NOTHING from {len(mine)} calls: {trouble}", file=sys.stderr)
            continue
        found = linker.inference.predict(threshold_match_probability=SPLINK_MIN).as_pandas_dataframe()
        found = found.assign(
            call_no=found.unique_id_l.str.removeprefix("call-").astype(int), completion_id=found.unique_id_r,
            source="one", distance=-found.match_weight,
        )  # fmt: skip
        chosen |= greedy(found)
    return chosen


def _splink_calls(call: pd.DataFrame) -> pd.DataFrame:
    whole = call.outcome == "delivered"
    return _cells(pd.DataFrame({
        "source_dataset": "a_call", "unique_id": "call-" + call.call_no.astype(str),
        "model": call.model, "account": call.account,
        "begin_us": call.started_at_us, "end_us": call.ended_at_us.where(whole).astype("Int64"),
        "entry": call.input_tokens.astype("Int64"),
        "made": call.output_tokens_received.where(whole).astype("Int64"),
        "stream": call.stream.astype(str),
    }))  # fmt: skip


def _splink_works(completion: pd.DataFrame) -> pd.DataFrame:
    return _cells(pd.DataFrame({
        "source_dataset": "b_work", "unique_id": completion.completion_id,
        "model": completion.model, "account": completion.account,
        "begin_us": completion.received_at_us, "end_us": completion.finished_at_us.astype("Int64"),
        "entry": (completion.input_tokens + completion.cached_input_tokens).astype("Int64"),
        "made": completion.output_tokens.astype("Int64"), "stream": completion.stream.astype(str),
    }))  # fmt: skip


def _cells(frame: pd.DataFrame) -> pd.DataFrame:
    begin = frame.begin_us.astype("int64")
    return frame.assign(cell=begin // REACH_US, shifted_cell=(begin + REACH_US // 2) // REACH_US)
