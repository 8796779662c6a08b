"""Costing: what every abort cost, and how every bucket of the bill splits. The steps are the .sql files.

In: the matches of this run, the new completions and billing lines, and the temporary tables completion_source and
provider_reach. Out: `verdict_changed` and `bucket_changed`, and the state behind them. Money is whole nano-units
from end to end; this room refuses to price what has no price.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from collector.costing import policies, prices
from collector.ledger import dialect, job_events

PACKAGE = "collector.costing"

BILL = ("bill_day_add", "overshadowed", "bill_line", "two_bills", "usage_slot_add")
ASSUMED = (
    "assumed_gone", "assumed_drop", "assumed_lone", "assumed_extent", "assumed_new", "assumed_keep", "assumed_match",
    "assumed_touched", "assumed_usage", "assumed_unknown", "special_touched",
)  # fmt: skip
BUCKETS = (
    "special_extent", "special_drop", "special_put", "special_assumed_put", "first_byte_wanted", "first_byte_extent",
    "first_byte_learnt", "special_time", "special_time_drop", "special_time_put",
    "touched_point", "waiting_account", "touched_period", "touched_hour",
    "bill_bucket", "slot_usage", "slot_period", "log_bucket", "class_rule", "plain_bucket", "carry_border",
    "carry_extent", "carry", "full_bucket",
    "special_use", "bucket_part", "share_lost", "bucket_share_drop", "bucket_share_put", "special_wanted",
)  # fmt: skip
AMOUNTS = (
    "slot_estimate", "special_leaf", "special_amount", "bucket_drawn", "bucket_standing", "bucket_changed",
    "verdict_touched", "verdict_match", "rival_doubt", "rival_extent", "rival_cost", "verdict_drawn", "verdict_changed",
    "verdict_before", "unpriced", "unshareable", "under_billed",
)  # fmt: skip
# Where jobs are known, each of these is followed by its twin.
FOR_JOBS = {
    "special_assumed_put": "special_job_put", "verdict_touched": "verdict_job_touched",
    "verdict_drawn": "verdict_job_put",
}  # fmt: skip
JOBS = ("job_touched", "job_usage")
KEEP = (
    "bucket_put", "bucket_current_drop", "bucket_current_put", "verdict_put", "verdict_current_drop",
    "verdict_current_put",
)  # fmt: skip

_POLICY = pa.schema([
    ("provider", pa.string()), ("model", pa.string()), ("status", pa.string()), ("from_us", pa.int64()),
    ("billed", pa.bool_()), ("disputed", pa.bool_()),
])  # fmt: skip
_NAME = pa.schema([
    ("provider", pa.string()), ("model", pa.string()), ("bill_model", pa.string()), ("is_new", pa.bool_()),
])  # fmt: skip
_DROP = pa.schema([
    ("provider", pa.string()), ("model", pa.string()), ("mode", pa.string()), ("from_us", pa.int64()),
    ("runs_on", pa.string()), ("billed", pa.bool_()), ("disputed", pa.bool_()),
])  # fmt: skip
_ENDINGS: Mapping[str, policies.On] = {"stream": "stream_dropped", "unary": "unary_dropped"}
_PRICE = pa.schema([
    ("provider", pa.string()), ("model", pa.string()), ("usage_kind", pa.string()), ("price_class", pa.string()),
    ("wanted_currency", pa.string()), ("currency", pa.string()), ("from_us", pa.int64()),
    ("input_tokens_above", pa.int64()), ("nano_per_million", pa.int64()), ("origin", pa.string()),
])  # fmt: skip


def cost(
    connection: duckdb.DuckDBPyConnection,
    values: Mapping[str, Any],
    claims: Sequence[policies.Claim],
    configured: Sequence[prices.ConfiguredPrice],
    normalised: Callable[[str], str],
) -> None:
    """Draw the touched buckets and verdicts again, as temporary tables; `keep` makes them stand.

    Where no job was ever read of, the steps about jobs are left out: each would cost every run its planning.
    """
    bill, twins = (BILL + JOBS, FOR_JOBS) if job_events.any_known(connection) else (BILL, {})
    dialect.steps(connection, PACKAGE, bill, values)
    _register_names(connection, normalised)
    _register_policies(connection, claims)
    dialect.steps(connection, PACKAGE, _twinned(ASSUMED + BUCKETS, twins), values)
    _register_prices(connection, values, configured)
    dialect.steps(connection, PACKAGE, _twinned(AMOUNTS, twins), values)


def _twinned(names: Iterable[str], twins: Mapping[str, str]) -> list[str]:
    """The steps, each followed by its twin if it has one."""
    return [step for name in names for step in (name, twins.get(name)) if step]


def keep(connection: duckdb.DuckDBPyConnection) -> None:
    """Append the changed buckets and verdicts as new versions, and make them the current ones."""
    dialect.steps(connection, PACKAGE, KEEP, {})


def _register_policies(connection: duckdb.DuckDBPyConnection, claims: Sequence[policies.Claim]) -> None:
    """`policy_decision`: for every model that cancelled or failed, whether such work is billed, and since when."""
    table = policies.table(claims)
    instants = sorted({0, *(policy.from_us for policy in table)})
    rows = []
    for provider, model, status in dialect.run(connection, PACKAGE, "unfinished_model"):
        for from_us in instants:
            policy = policies.decide(table, provider, model, status, from_us)
            rows.append({
                "provider": provider, "model": model, "status": status, "from_us": from_us,
                "billed": policy.billed != "no", "disputed": policy.billed == "disputed",
            })  # fmt: skip
    connection.register("policy_decision", pa.Table.from_pylist(rows, schema=_POLICY))
    connection.register("drop_policy", pa.Table.from_pylist(_dropped(connection, table, instants), schema=_DROP))


def _register_names(connection: duckdb.DuckDBPyConnection, normalised: Callable[[str], str]) -> None:
    """`model_name`: the models that the bill names otherwise than the log (gemini-3-pro for gemini-3-pro-preview).

    Only a name that the bill does not have is translated, and only where one name of the bill fits.
    """
    named: dict[str, set[tuple[str, str]]] = {"log": set(), "bill": set()}
    for side, provider, model in dialect.run(connection, PACKAGE, "named_model"):
        named[side].add((provider, model))
    held = {(provider, model): bill for provider, model, bill in dialect.run(connection, PACKAGE, "model_name_held")}
    rows = []
    for provider, model in sorted(named["log"]):
        fitting = {m for p, m in named["bill"] if p == provider and normalised(m) == normalised(model)}
        known = (provider, model) in named["bill"] or len(fitting) != 1
        bill_model = model if known else fitting.pop()
        if bill_model != held.get((provider, model), model) or bill_model != model:
            is_new = bill_model != held.get((provider, model), model)
            rows.append({"provider": provider, "model": model, "bill_model": bill_model, "is_new": is_new})
    connection.register("model_name", pa.Table.from_pylist(rows, schema=_NAME))
    dialect.run(connection, PACKAGE, "model_name_drop")
    dialect.run(connection, PACKAGE, "model_name_put")


def _dropped(
    connection: duckdb.DuckDBPyConnection, table: Sequence[policies.Policy], instants: Sequence[int]
) -> list[dict[str, Any]]:
    """For every model that nobody logs: whether it runs on when its caller leaves, and whether that is billed."""
    rows = []
    for provider, model in dialect.run(connection, PACKAGE, "unlogged_model"):
        for from_us in instants:
            for mode, ending in _ENDINGS.items():
                policy = policies.decide(table, provider, model, ending, from_us)
                rows.append({
                    "provider": provider, "model": model, "mode": mode, "from_us": from_us,
                    "runs_on": policies.keeps_running(table, policy, provider, model, from_us),
                    "billed": policy.billed != "no", "disputed": policy.billed == "disputed",
                })  # fmt: skip
    return rows


def _register_prices(
    connection: duckdb.DuckDBPyConnection,
    values: Mapping[str, Any],
    configured: Sequence[prices.ConfiguredPrice],
) -> None:
    """`price_effective` and `account_currency`: the dated prices of every model in use, in each bill's currency."""
    dialect.run(connection, PACKAGE, "account_currency")
    models = dialect.run(connection, PACKAGE, "used_model")
    wanted = {row[0] for row in connection.execute("SELECT DISTINCT currency FROM account_currency").fetchall()}
    rows: list[dict[str, Any]] = []
    for provider, model in models:
        dated = prices.price_rows(configured, [(provider, model)])
        for currency in sorted(wanted | {values["currency"]}):
            rows.extend(effective(dated, provider, model, currency, values["currency"]))
    table = pa.Table.from_pylist(rows, schema=_PRICE)
    connection.register("price_effective", table)
    dialect.run(connection, PACKAGE, "price_put", values)


def effective(
    dated: Iterable[prices.PriceRow], provider: str, model: str, wanted: str, headline: str
) -> list[dict[str, Any]]:
    """The rows that price one model in one currency: the config's win from their first date on, by usage kind."""
    rows = [
        row for row in dated
        if row.provider in (None, provider) and (row.origin != "config" or row.model == model)
    ]  # fmt: skip
    currencies = {row.currency for row in rows}
    chosen = next((c for c in (wanted, headline, *sorted(currencies)) if c in currencies), None)
    rows = [row for row in rows if row.currency == chosen]
    own_from: dict[tuple[str, str | None], int] = {}
    for row in rows:
        if row.origin == "config":
            key = (row.usage_kind, row.price_class)
            own_from[key] = min(own_from.get(key, row.from_us), row.from_us)
    return [
        {
            "provider": provider, "model": model, "usage_kind": row.usage_kind,
            "price_class": row.price_class or "", "wanted_currency": wanted, "currency": row.currency,
            "from_us": row.from_us, "input_tokens_above": row.input_tokens_above,
            "nano_per_million": row.nano_per_million, "origin": row.origin,
        }
        for row in rows
        if row.origin == "config" or row.from_us < own_from.get((row.usage_kind, row.price_class), 1 << 62)
    ]  # fmt: skip
