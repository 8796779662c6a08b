"""The script that somebody who knows pandas would write: read, match by request id, share out the bill.

In: the folder. Out: a line of JSON: the seconds, and the orphaned cost by model. Vectorised throughout, and
with floats. It checks nothing, keeps nothing for the next time, knows no partial bill and no unsettled
hour, and holds everything in memory. The reader is `plain` (read_json and json_normalize, as the manual
shows them) or `arrow` (pyarrow's JSON reader, for somebody who went to look for a faster one).

Use: python -m benchmarks.peer_pandas FOLDER [plain|arrow]
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.json

from benchmarks.traffic import END_US, HOUR_US

KINDS = {"Input": "input", "Cached Input": "cached_input", "Output": "output", "Thinking Output": "thinking"}
KEYS = ["hour", "account", "model"]
HORIZON = pd.Timedelta(minutes=30)
Reader = Callable[[Path], pd.DataFrame]


def read_plain(path: Path) -> pd.DataFrame:
    """One file as pandas reads it, nested objects as dotted columns."""
    if path.parent.name in ("client", "nginx"):
        return pd.read_json(path, lines=True, dtype=False)
    with path.open(encoding="utf-8") as lines:
        return pd.json_normalize([json.loads(line) for line in lines])


def read_arrow(path: Path) -> pd.DataFrame:
    """One file as Arrow reads it, nested objects as dotted columns."""
    table = pyarrow.json.read_json(path)
    while any(pyarrow.types.is_struct(column.type) for column in table.schema):
        table = table.flatten()
    frame: pd.DataFrame = table.to_pandas()
    return frame


READERS: dict[str, Reader] = {"plain": read_plain, "arrow": read_arrow}


def measure(root: Path, reader: str = "plain") -> dict[str, Any]:
    """Read, match and price everything under `root`."""
    began = time.perf_counter()
    orphaned = orphaned_by_model(root, READERS[reader])
    return {"seconds": time.perf_counter() - began, "orphaned": orphaned}


def orphaned_by_model(root: Path, read: Reader) -> dict[str, float]:
    """Whole units of currency by model that calls cost whose backend ran on to its end for nobody."""
    calls = attempts(read_all(root, "client/*.jsonl", read), read_all(root, "nginx/*.json", read))
    work = completions(read_all(root, "backend/*.jsonl", read))
    unit = unit_costs(read_all(root, "billing/*.jsonl", read), work)
    lost = work.merge(calls, on="request_id")
    lost = lost[lost["status"] == "ok"]
    for kind in KINDS.values():
        price = lost[KEYS].merge(unit[kind], how="left", on=KEYS)
        lost[f"{kind}_cost"] = lost[kind].to_numpy() * price["unit_cost"].fillna(0).to_numpy()
    received = lost["output_tokens_received"].where(lost["stream"], 0).fillna(0)
    undelivered = 1 - (received / lost["output"]).clip(upper=1)
    spent_in = lost["input_cost"] + lost["cached_input_cost"]
    spent_out = lost["output_cost"] + lost["thinking_cost"]
    lost["orphaned"] = spent_out * undelivered + spent_in.where(received == 0, 0)
    sums = lost.groupby("model")["orphaned"].sum()
    return {str(model): float(cost) for model, cost in sums.items()}


def read_all(root: Path, pattern: str, read: Reader) -> pd.DataFrame:
    """Every file of one kind, one below the other."""
    return pd.concat([read(path) for path in sorted(root.glob(pattern))], ignore_index=True)


def attempts(client: pd.DataFrame, edge: pd.DataFrame) -> pd.DataFrame:
    """The calls that were given up: the client's own word where it has one, else the proxy's."""
    client = client.drop_duplicates(["call_id", "event"])
    started = client[client["event"] == "started"][["call_id", "request_id", "at"]]
    ended = client[client["event"] == "ended"][["call_id", "outcome", "output_tokens_received"]]
    calls = started.merge(ended, how="left", on="call_id")
    now = pd.Timestamp(END_US + 2 * HOUR_US, unit="us", tz="UTC")
    vanished = calls["outcome"].isna() & (pd.to_datetime(calls["at"], format="ISO8601") + HORIZON <= now)
    aborted = calls[(calls["outcome"] == "aborted") | vanished]
    edge = edge.drop_duplicates(["request_id", "msec"])
    gone = edge[(edge["request_completion"] != "OK") & ~edge["request_id"].isin(calls["request_id"])]
    return pd.concat([aborted, gone[["request_id"]]])[["request_id", "output_tokens_received"]]


def completions(backend: pd.DataFrame) -> pd.DataFrame:
    """One row a completion, its tokens in kinds that do not overlap, and the hour that it is billed in."""
    backend = backend.drop_duplicates("insertId")
    usage = {kind: backend[f"jsonPayload.usage.{kind}_tokens"] for kind in KINDS.values()}
    return pd.DataFrame({
        "request_id": backend["jsonPayload.request_id"],
        "account": backend["resource.labels.project_id"],
        "model": backend["jsonPayload.model"],
        "stream": backend["jsonPayload.stream"],
        "status": backend["jsonPayload.status"],
        "hour": pd.to_datetime(backend["timestamp"], format="ISO8601").dt.floor("h"),
        **usage,
        "input": usage["input"] - usage["cached_input"],
    })  # fmt: skip


def unit_costs(bill: pd.DataFrame, work: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What one token cost in each hour, account and model, by usage kind: the bill over what it is for."""
    words = bill["sku.description"].str.extract(r"^Acme (?P<model>\S+) (?P<kind>.*) Tokens$")
    rows = pd.DataFrame({
        "hour": pd.to_datetime(bill["usage_start_time"].astype(str).str.removesuffix(" UTC"), utc=True),
        "account": bill["project.id"], "model": words["model"], "kind": words["kind"].map(KINDS),
        "cost": bill["cost"].astype(float), "used": bill["usage.amount"].astype(float),
    })  # fmt: skip
    billed = rows.groupby([*KEYS, "kind"], as_index=False)[["cost", "used"]].sum()
    logged = work.groupby(KEYS, as_index=False)[list(KINDS.values())].sum()
    costs = {}
    for kind in KINDS.values():
        bucket = billed[billed["kind"] == kind].merge(logged[[*KEYS, kind]], on=KEYS)
        bucket["unit_cost"] = bucket["cost"] / bucket[["used", kind]].max(axis=1)
        costs[kind] = bucket[[*KEYS, "unit_cost"]]
    return costs


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), *sys.argv[2:])))
