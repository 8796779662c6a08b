"""The bill of the demo's day: what was used comes in, rows of Google's billing export go out, one JSON a line.

It knows hours and SKUs, and no call. It lags behind; its newest hours are there in part only; rows are split, come
with credits, and stand between storage and tax.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from collector.demo import cast
from collector.demo.cast import ACCOUNT, HOUR_US, MODELS, USAGES
from collector.demo.traffic import Call
from collector.money import text_from_nano
from collector.records import instant_text

LAG_HOURS = 6  # the newest hours, of which no row has come
PARTIAL_HOURS = 2  # before them: hours of which a part has come
EXPORT_HOURS = 6
WORDS = {
    "input": "{} GA Text Input - Predictions", "cached_input": "{} GA Text Input Caching",
    "output": "{} GA Text Output - Predictions", "thinking": "{} GA Thinking Text Output - Predictions",
}  # fmt: skip
Used = dict[tuple[int, str, str], int]  # (hour, model, usage kind) -> tokens


def used_tokens(calls: Iterable[Call], start_us: int) -> Used:
    """What the calls used, by the hour in which they finished; work that the provider failed is not charged."""
    used: Used = defaultdict(int)
    for call in calls:
        if call.status != "error":
            hour = (call.finished_us - start_us) // HOUR_US
            for usage, tokens in call.usage().items():
                used[hour, call.service.model.name, usage] += tokens
    return used


def unwatched(used: Used) -> Used:
    """What a script used that nobody watches: on the bill, and in no log."""
    return {key: round(tokens * cast.UNWATCHED_SHARE) for key, tokens in used.items() if key[1] == cast.FLASH.name}


def export_lines(used: Used, start_us: int, rng: Random) -> dict[str, list[str]]:
    """The files of the export by their names; the first is delivered twice."""
    files: dict[str, list[str]] = defaultdict(list)
    for (hour, model, usage), tokens in sorted(used.items()):
        if tokens and hour < cast.DAY_HOURS - LAG_HOURS:
            partial = hour >= cast.DAY_HOURS - LAG_HOURS - PARTIAL_HOURS
            export_us = _export_us(start_us, hour)
            parts = _split(tokens, rng)
            for part in parts[:1] if partial else parts:
                files[_name(export_us)].append(_usage_row(start_us, hour, model, usage, part, export_us))
    for row_us, row in _other_rows(start_us):
        files[_name(row_us)].append(row)
    first = min(files)
    return {**files, f"{first}-again": files[first]}


def _export_us(start_us: int, hour: int) -> int:
    """Exports come every six hours, and bring what ended by an hour before."""
    return start_us + ((hour + 1) // EXPORT_HOURS + 1) * EXPORT_HOURS * HOUR_US + 600 * cast.SECOND_US


def _name(export_us: int) -> str:
    return f"export-{instant_text(export_us)[:13]}"


def _split(tokens: int, rng: Random) -> list[int]:
    """The hour's tokens in two rows, as locations or late reports split them."""
    if tokens < 1_000:
        return [tokens]
    first = round(tokens * rng.uniform(0.5, 0.8))
    return [first, tokens - first]


def _usage_row(start_us: int, hour: int, model: str, usage: str, tokens: int, export_us: int) -> str:
    priced = MODELS[model]
    cost_nano = tokens * priced.list_nano[usage]
    credit_nano = tokens * (priced.net_nano(usage) - priced.list_nano[usage])
    return _row(
        service={"id": "C7E2-9256-1C43", "description": "Vertex AI"}, sku=WORDS[usage].format(priced.billed_as),
        hours=(start_us + hour * HOUR_US, start_us + (hour + 1) * HOUR_US), project=ACCOUNT, export_us=export_us,
        cost_nano=cost_nano, credit_nano=credit_nano, amount=tokens, unit="count",
    )  # fmt: skip


def _other_rows(start_us: int) -> Iterator[tuple[int, str]]:
    """Storage, and the tax, which belongs to no project."""
    export_us = _export_us(start_us, 5)
    hours = (start_us, start_us + HOUR_US)
    yield export_us, _row(
        service={"id": "95FF-2EF5-5EA1", "description": "Cloud Storage"}, sku="Standard Storage US Multi-region",
        hours=hours, project=ACCOUNT, export_us=export_us, cost_nano=1_310_000_000, credit_nano=0,
        amount=50_000_000_000, unit="byte-seconds",
    )  # fmt: skip
    yield export_us, _row(
        service={"id": "TAX0-0000-0000", "description": "Invoice"}, sku="Tax", hours=hours, project=None,
        export_us=export_us, cost_nano=2_170_000_000, credit_nano=0, amount=0, unit="", cost_type="tax",
    )  # fmt: skip


def _row(
    *, service: dict[str, str], sku: str, hours: tuple[int, int], project: str | None, export_us: int,
    cost_nano: int, credit_nano: int, amount: int, unit: str, cost_type: str = "regular",
) -> str:  # fmt: skip
    """One row of the export. Money is put in as decimal text: a float would not write it as it is."""
    credit = {"name": "Committed use", "amount": "@credit", "full_name": None, "id": "cud", "type": "DISCOUNT"}
    row: dict[str, Any] = {
        "billing_account_id": "01ABCD-2EF345-67890A", "service": service,
        "sku": {"id": f"DEMO-{sum(sku.encode()):04d}", "description": sku},
        "usage_start_time": _instant(hours[0]), "usage_end_time": _instant(hours[1]),
        "project": {"id": project, "number": "123456789", "name": project} if project else None,
        "labels": [], "location": {"location": "us-central1", "country": "US"},
        "export_time": _instant(export_us), "cost": "@cost", "currency": "USD", "currency_conversion_rate": 1.0,
        "usage": {
            "amount": amount, "unit": unit, "amount_in_pricing_units": amount / 1_000_000,
            "pricing_unit": f"1000000 {unit}",
        },
        "credits": [credit] if credit_nano else [], "cost_type": cost_type,
    }  # fmt: skip
    text = json.dumps(row, separators=(",", ":"))
    return text.replace('"@cost"', text_from_nano(cost_nano)).replace('"@credit"', text_from_nano(credit_nano))


def _instant(at_us: int) -> str:
    return f"{instant_text(at_us)[:19].replace('T', ' ')} UTC"
