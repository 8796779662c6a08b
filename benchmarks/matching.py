"""How well calls are matched without ids: ours, an oracle, nearest in time, and Splink 5, on the same worlds.

In: how many seeds and calls. Out: one table a kind of world: precision and recall of the pairs, the error of
the lost total, and seconds. All contenders get the parsed rows of our ledger, and the same first step: what
an id joins is joined. Their pairs are priced by one rule here, so that the error of the total is the error
of the pairs. The oracle is told what no log says: which rows are one call, and how the delays of each
observer are distributed. Splink's seconds and the oracle's are without reading; ours are the whole of
correlation.

Use: python -m benchmarks.matching [--seeds 3] [--calls 1000] [--world NAME ...]
     (Splink is measured where it is installed: pip install splink==5.0.0)
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.child import table
from benchmarks.matchers import Frames, Pairs, by_id, nearest, oracle, splink_pairs
from collector import config, pipeline
from collector.records import instant_us
from tests.world import World, WorldSpec, build, from_trace

TRACE = Path(__file__).resolve().parent.parent / "collector/demo/azure_llm_inference_2023_code.csv"
NUMBERS = ("ended_at_us", "bytes_received", "output_tokens_received", "input_tokens")
HEAD = ("", "precision", "recall", "error of the lost total", "seconds")
WIDE: Mapping[str, Any] = MappingProxyType({
    "delay_ms": 150.0, "delay_sigma": 0.7, "hint_share": 0.0, "uncounted_share": 1.0,
    "skew_ms": MappingProxyType({"app": 400, "edge": -300, "backend": 0}),
})  # fmt: skip
WORLDS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "60 % of ids, 5 calls/s, skew": {"id_share": 0.6, "skew_ms": MappingProxyType({"app": 150})},
    "no ids, 5 calls/s": {"id_share": 0.0},
    "50 % of ids, 30 calls/s": {"id_share": 0.5, "rate_per_s": 30.0},
    "a real trace, 50 % of ids": {"id_share": 0.5},
    "hard: 50 % of ids, 30 calls/s, wide delays": {"id_share": 0.5, "rate_per_s": 30.0, **WIDE},
})  # fmt: skip


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
        print(
            table(HEAD, [row(label, frames, matcher) for label, matcher in contenders().items()]),
            end="\n\n",
            flush=True,
        )
    return 0


def contenders() -> dict[str, Matcher | None]:
    """Everybody's name and way of matching; None: what our ledger holds."""
    found: dict[str, Matcher | None] = {
        "ours": None,
        "oracle (true delays)": oracle,
        "nearest in time": nearest,
    }
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
    truth = {number[a.observer, a.call_id, instant_us(a.started_at)]: a.completion_id for a in world.aborts}
    own = zip(
        verdict["observer"],
        verdict["call_id"],
        verdict["started_at_us"],
        verdict["completion_id"],
        strict=True,
    )
    ours = {number[o, c, s]: m for o, c, s, m in own if isinstance(m, str)}
    return Frames(world, _numbers(call), _numbers(completion), truth, ours, seconds)


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Nullable numbers as floats, so that what is unknown compares as unknown."""
    wanted = [name for name in frame if frame[name].dtype == "Int64" or name in NUMBERS]
    return frame.assign(**{name: pd.to_numeric(frame[name]).astype("float64") for name in wanted})


# Money --------------------------------------------------------------------------------------------------


def money(frames: Frames, pairs: Pairs) -> float:
    """What these aborts lost: the lost share of each completion once, on its outermost row."""
    call = frames.call.set_index("call_no")
    completion = frames.completion.set_index("completion_id")
    price = {model.name: model for model in frames.world.spec.price_list()}
    seen: set[str] = set()
    total = 0.0
    for call_no, name in sorted(pairs.items(), key=lambda pair: call.loc[pair[0], "source"]):
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
