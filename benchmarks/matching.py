"""How well calls are matched without ids: ours, an oracle, nearest in time, and Splink 5, on the same worlds.

In: how many seeds and calls. Out: one table a kind of world: precision and recall of the pairs, the error of the
lost total, and seconds. All contenders get the parsed rows of our ledger, and the same first step: what an id
joins is joined. Their pairs are priced by one rule here, so that the error of the total is the error of the pairs.
The oracle is told what no log says: which rows are one call, and how the delays of each observer are distributed.

Use: python -m benchmarks.matching [--seeds 3] [--calls 1000] [--world NAME ...]
     (Splink is measured where it is installed: pip install splink==5.0.0)
"""

import argparse
import importlib.util
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.child import table
from collector import config, pipeline
from collector.correlate import steps
from collector.correlate.choose import choose
from collector.records import instant_us
from tests.world import World, WorldSpec, build, from_trace

TRACE = Path(__file__).resolve().parent.parent / "collector/demo/azure_llm_inference_2023_code.csv"
SPLINK_MIN = 0.01  # its best here: at 0.5 it misses a quarter of the pairs
REACH_US = 2_000_000  # clock_skew of the config: how far apart any contender looks
NUMBERS = ("ended_at_us", "bytes_received", "output_tokens_received", "input_tokens")
HEAD = ("", "precision", "recall", "error of the lost total", "seconds")
WIDE: Mapping[str, Any] = MappingProxyType({
    "delay_ms": 150.0, "delay_sigma": 0.7, "hint_share": 0.0, "uncounted_share": 1.0,
    "skew_ms": MappingProxyType({"app": 400, "edge": -300, "backend": 0}),
})  # fmt: skip
WORLDS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "60 % of ids, 5 calls/s, skew": {"id_share": 0.6, "skew_ms": MappingProxyType({"app": 150, "edge": -100})},
    "no ids, 5 calls/s": {"id_share": 0.0},
    "50 % of ids, 30 calls/s": {"id_share": 0.5, "rate_per_s": 30.0},
    "a real trace, 50 % of ids": {"id_share": 0.5},
    "hard: 50 % of ids, 30 calls/s, wide delays": {"id_share": 0.5, "rate_per_s": 30.0, **WIDE},
})  # fmt: skip
Pairs = Mapping[int, str]  # call_no -> completion_id


@dataclass(frozen=True, slots=True)
class Frames:
    """One world as its logs tell it: a row a call and observer, a row a completion, and what is true.

    `call.call_no` numbers the rows. `truth` has every abort's call_no and its completion; `attempt` the name of
    the call that a row belongs to, for the oracle only.
    """

    world: World
    call: pd.DataFrame
    completion: pd.DataFrame
    truth: Mapping[int, str | None]
    ours: Pairs
    ours_seconds: float


Matcher = Callable[[Frames, pd.DataFrame, pd.DataFrame], Pairs]


def main(arguments: Sequence[str]) -> int:
    """Prints a table for each kind of world."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--world", action="append", choices=list(WORLDS))
    given = parser.parse_args(arguments)
    if importlib.util.find_spec("splink") is None:
        print("SPLINK IS NOT INSTALLED: its line is missing below (pip install splink==5.0.0)", file=sys.stderr)
    for name in given.world or WORLDS:
        frames = [read(name, seed, given.calls) for seed in range(1, given.seeds + 1)]
        aborts = sum(len(one.truth) for one in frames)
        print(f"{name}: {given.seeds} seeds of {given.calls:,} calls, {aborts} rows of aborts")
        print(table(HEAD, [row(label, frames, matcher) for label, matcher in contenders().items()]), end="\n\n", flush=True)
    return 0


def contenders() -> dict[str, Matcher | None]:
    """Everybody's name and way of matching; None: what our ledger holds."""
    found: dict[str, Matcher | None] = {"ours": None, "oracle (true delays)": oracle, "nearest in time": nearest}
    if importlib.util.find_spec("splink") is not None:
        found["Splink 5"] = splink_pairs
    return found


def row(label: str, frames: Iterable[Frames], matcher: Matcher | None) -> tuple[str, ...]:
    """One contender's line of the table, all seeds together."""
    right = wrong = missed = 0
    lost = true_lost = seconds = 0.0
    for one in frames:
        pairs, took = (one.ours, one.ours_seconds) if matcher is None else matched(one, matcher)
        seconds += took
        for call_no, true in one.truth.items():
            got = pairs.get(call_no)
            right += got is not None and got == true
            wrong += got is not None and got != true
            missed += true is not None and got != true
        lost += money(one, {call_no: pairs[call_no] for call_no in one.truth if call_no in pairs})
        true_lost += money(one, {call_no: true for call_no, true in one.truth.items() if true is not None})
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    return label, f"{precision:.4f}", f"{recall:.4f}", f"{lost / true_lost - 1:+.2%}", f"{seconds:.2f}"


def matched(frames: Frames, matcher: Matcher) -> tuple[Pairs, float]:
    """Joins by id first, lets the contender match the rest, and takes the time of both."""
    began = time.perf_counter()
    exact = by_id(frames)
    call = frames.call[~frames.call.call_no.isin(list(exact))]
    completion = frames.completion[~frames.completion.completion_id.isin(set(exact.values()))]
    pairs = {**exact, **matcher(frames, call.reset_index(drop=True), completion.reset_index(drop=True))}
    return pairs, time.perf_counter() - began


# What the logs say --------------------------------------------------------------------------------------


def read(name: str, seed: int, calls: int) -> Frames:
    """Build a world of that kind, let our pipeline read and match it, and take its parsed rows."""
    spec = WorldSpec(seed=seed, calls=calls, hours=1, **WORLDS[name])
    world = from_trace(TRACE, spec) if "trace" in name else build(spec)
    with tempfile.TemporaryDirectory(prefix="orphaned-bench-") as folder:
        settings = config.load(world.write(Path(folder)))
        seconds = _timed_run(settings, instant_us(world.as_of))
        with pipeline.reading(settings) as (connection, _):
            sql = "SELECT * FROM {} WHERE {}"
            whole = connection.execute(sql.format("client_call", "event <> 'ended'")).df()
            ended = connection.execute(sql.format("client_call", "event = 'ended'")).df()
            completion = connection.execute("SELECT * FROM backend_completion").df()
            verdict = connection.execute("SELECT * FROM verdict_current").df()
    return _frames(world, _calls(whole, ended), completion, verdict, seconds)


def _timed_run(settings: config.Config, now_us: int) -> float:
    """One run; the seconds that correlation took in it, by ids and by time and size."""
    took: list[float] = []
    real = pipeline.correlate

    def watched(*given: Any) -> None:
        began = time.perf_counter()
        real(*given)
        took.append(time.perf_counter() - began)

    pipeline.correlate = watched  # type: ignore[assignment]
    try:
        pipeline.run_once(settings, now_us=now_us)
    finally:
        pipeline.correlate = real
    return sum(took)


def _calls(whole: pd.DataFrame, ended: pd.DataFrame) -> pd.DataFrame:
    """One row a call and observer, with both of its ends."""
    late = ["ended_at_us", "outcome", "reason", "response_id", "bytes_received", "output_tokens_received"]
    ends = ended.assign(ended_at_us=ended["at_us"])[["source", "call_id", *late]]
    call = whole.merge(ends, on=["source", "call_id"], how="left", suffixes=("", "_end"))
    for column in late:
        call[column] = call[f"{column}_end"].where(call[f"{column}_end"].notna(), call[column])
    return call.sort_values(["started_at_us", "source"]).reset_index(drop=True).assign(call_no=lambda f: f.index)


def _frames(
    world: World, call: pd.DataFrame, completion: pd.DataFrame, verdict: pd.DataFrame, seconds: float
) -> Frames:
    names = {}
    for one in world.calls:
        if one.client:
            names["app", one.call_id, one.client.started_us] = one
        if one.proxy:
            names["edge", one.proxy.request_id, one.proxy.started_ms * 1000] = one
    keys = list(zip(call["source"], call["call_id"], call["started_at_us"], strict=True))
    call["attempt"] = [names[key].call_id for key in keys]
    call["true_id"] = [w.completion_id if (w := names[key].work) and w.logged else None for key in keys]
    number = {key: no for no, key in enumerate(keys)}
    truth = {
        number[a.observer, a.call_id, instant_us(a.started_at)]: a.completion_id for a in world.aborts
    }
    own = zip(verdict["observer"], verdict["call_id"], verdict["started_at_us"], verdict["completion_id"], strict=True)
    ours = {number[o, c, s]: m for o, c, s, m in own if isinstance(m, str)}
    return Frames(world, _numbers(call), _numbers(completion), truth, ours, seconds)


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Nullable numbers as floats, so that what is unknown compares as unknown."""
    wanted = [name for name in frame if frame[name].dtype == "Int64" or name in NUMBERS]
    return frame.assign(**{name: pd.to_numeric(frame[name]).astype("float64") for name in wanted})


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
    """What one observer's row has found by an id is the other observer's as well, if an id joins the two rows."""
    names = ["call_no", "source", "started_at_us"]
    got = call[call.call_no.isin(list(chosen))].assign(completion_id=lambda f: f.call_no.map(chosen))
    rest = call[~call.call_no.isin(list(chosen))]
    found = []
    for left, right in (
        ("request_id", "received_request_id"), ("received_request_id", "request_id"), ("request_id", "request_id"),
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


# Money --------------------------------------------------------------------------------------------------


def money(frames: Frames, pairs: Pairs) -> float:
    """What these aborts lost: the lost share of each completion once, on its outermost row."""
    call = frames.call.set_index("call_no")
    completion = frames.completion.set_index("completion_id")
    price = {model.name: model for model in frames.world.spec.price_list()}
    seen: set[str] = set()
    total = 0.0
    for call_no, name in sorted(pairs.items(), key=lambda pair: call.at[pair[0], "source"]):
        if name not in seen:
            seen.add(name)
            work = completion.loc[name]
            total += _lost(call.loc[call_no], work, price[str(work["model"])])
    return total


def _lost(call: Any, work: Any, model: Any) -> float:
    if work["status"] == "error":
        return 0.0
    made = work["output_tokens"] + work["thinking_tokens"]
    share = _delivered(call, work)
    entry = work["input_tokens"] * model.input_nano + work["cached_input_tokens"] * model.cached_input_nano
    return float(made * model.output_nano * (1 - share) + (entry if share == 0 else 0))


def _delivered(call: Any, work: Any) -> float:
    """The share of the output that arrived: by tokens, else by nothing received, else by time."""
    got, made = call["output_tokens_received"], work["output_tokens"]
    if pd.isna(call["ended_at_us"]):
        return 0.0
    if not pd.isna(got) and made > 0:
        share = min(float(got / made), 1.0)
    elif made == 0 or (not pd.isna(call["bytes_received"]) and call["bytes_received"] == 0):
        share = 0.0
    else:
        span = max(work["finished_at_us"] - work["received_at_us"], 1)
        share = float(np.clip((call["ended_at_us"] - work["received_at_us"]) / span, 0, 1))
    return share if call["stream"] is True or share == 1.0 else 0.0


# Contenders ---------------------------------------------------------------------------------------------


def nearest(_frames: Frames, call: pd.DataFrame, completion: pd.DataFrame) -> Pairs:
    """What a user writes in an afternoon: merge_asof by model and account, nearest start, nearest pairs first."""
    right = completion[["model", "account", "received_at_us", "completion_id"]].sort_values("received_at_us")
    found = []
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
        found.append(of_source)
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
    smooth = np.convolve(heights, np.exp(-np.linspace(-2, 2, 9) ** 2), mode="same") + 1e-3 * max(len(values), 1) / 800
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
    """Splink 5: levels of the two time differences and of the sizes, weights by its own estimation, then greedy."""
    import splink.comparison_level_library as level
    import splink.comparison_library as comparison
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    if call.empty or completion.empty:
        return {}

    def apart(name: str) -> Any:
        steps_us = (50_000, 100_000, 200_000, 400_000, 800_000)
        gap = f"abs({name}_l - {name}_r)"
        cuts = [level.CustomLevel(f"{gap} <= {us}", label_for_charts=f"{us}") for us in steps_us]
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
        linker.training.estimate_parameters_using_expectation_maximisation(block_on("model", "account", "cell"))
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
        "source_dataset": "a_call", "unique_id": "call-" + call.call_no.astype(str), "model": call.model, "account": call.account,
        "begin_us": call.started_at_us, "end_us": call.ended_at_us.where(whole).astype("Int64"),
        "entry": call.input_tokens.astype("Int64"), "made": call.output_tokens_received.where(whole).astype("Int64"),
        "stream": call.stream.astype(str),
    }))  # fmt: skip


def _splink_works(completion: pd.DataFrame) -> pd.DataFrame:
    return _cells(pd.DataFrame({
        "source_dataset": "b_work", "unique_id": completion.completion_id, "model": completion.model, "account": completion.account,
        "begin_us": completion.received_at_us, "end_us": completion.finished_at_us.astype("Int64"),
        "entry": (completion.input_tokens + completion.cached_input_tokens).astype("Int64"),
        "made": completion.output_tokens.astype("Int64"), "stream": completion.stream.astype(str),
    }))  # fmt: skip


def _cells(frame: pd.DataFrame) -> pd.DataFrame:
    begin = frame.begin_us.astype("int64")
    return frame.assign(cell=begin // REACH_US, shifted_cell=(begin + REACH_US // 2) // REACH_US)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
