"""Google Cloud's billing export (standard and detailed), as JSON lines: rows of billing_line out.

What a SKU means is decided once per different text (skus.py). Costs are read from their text: a number with more
digits than a double keeps is taken from the line itself.
"""

import json
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from collector.ledger import dialect
from collector.sources import skus

PACKAGE = "collector.sources"
_READING = pa.schema([
    ("service", pa.string()), ("service_id", pa.string()), ("sku", pa.string()), ("unit", pa.string()),
    ("pricing_unit", pa.string()), ("provider", pa.string()), ("model", pa.string()), ("usage_kind", pa.string()),
    ("price_class", pa.string()), ("numerator", pa.int64()), ("denominator", pa.int64()),
])  # fmt: skip


def stage(connection: duckdb.DuckDBPyConnection, rules: Sequence[skus.SkuRule], fallback: str | None) -> None:
    """Make `parsed` from rows of the export; `fallback` is the provider of a user's rule that names none."""
    _respell(connection)
    dialect.run(connection, PACKAGE, "gcp_billing_field")
    found = dialect.run(connection, PACKAGE, "gcp_billing_sku")
    rows = [_reading(row, rules, fallback) for row in found]
    connection.register("sku_reading", pa.Table.from_pylist(rows, schema=_READING))
    dialect.script(connection, PACKAGE, ["gcp_billing", "gcp_billing_view"])


def _reading(row: Sequence[str], rules: Sequence[skus.SkuRule], fallback: str | None) -> dict[str, Any]:
    """What one (service, service id, SKU, unit, pricing unit) means."""
    service, service_id, sku, unit, pricing_unit = row
    known = {
        "service": service, "service_id": service_id, "sku": sku, "unit": unit, "pricing_unit": pricing_unit,
    }  # fmt: skip
    meaning = skus.recognise(service or service_id, sku, rules)
    if meaning is None:
        return {**known, "provider": skus.provider_of(service) or skus.provider_of(service_id)}
    factor = skus.usage_factor(unit, pricing_unit or None, meaning.usage_kind)
    return {
        **known,
        "provider": meaning.provider or skus.provider_of(service_id) or fallback,
        "model": meaning.model,
        "usage_kind": meaning.usage_kind,
        "price_class": meaning.price_class,
        "numerator": factor[0] if factor else None,
        "denominator": factor[1] if factor else None,
    }


def _respell(connection: duckdb.DuckDBPyConnection) -> None:
    """Write numbers with very many digits as text, in the lines that have one, so that no double rounds them."""
    long = {
        (file_id, line_no): _quoted(line)
        for file_id, line_no, line in dialect.run(connection, PACKAGE, "long_number")
        if _quoted(line)
    }
    if not long:
        return
    batch = connection.table("line_batch").to_arrow_table()
    places = zip(batch["file_id"].to_pylist(), batch["line_no"].to_pylist(), strict=True)
    lines = [long.get(place, line) for place, line in zip(places, batch["line"].to_pylist(), strict=True)]
    respelt = pa.table({"file_id": batch["file_id"], "line_no": batch["line_no"], "line": lines})
    connection.register("line_batch", respelt)


def _quoted(line: str) -> str | None:
    """The same JSON with every number as text, or None where the line is no JSON (its fate is told later)."""
    try:
        return json.dumps(json.loads(line, parse_float=str, parse_int=str))
    except ValueError:
        return None
