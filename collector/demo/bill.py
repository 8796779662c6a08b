"""The bill of the demo's day: what was used comes in, rows of Google's billing export go out.

It knows hours and SKUs, and no call. It lags behind; its newest hours are there in part only; rows are split,
come with credits, and stand between storage and tax.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from collector.demo import cast
from collector.demo.cast import ACCOUNT, HOUR_US, MODELS
from collector.demo.traffic import Call
from collector.money import text_from_nano
from collector.records import instant_text

LAG_HOURS = 6  # the newest hours, of which no row has come
PARTIAL_HOURS = 2  # before them: hours of which a part has come
EXPORT_HOURS = 6
SPLIT_TOKENS_MIN = 1_000
WORDS = {
    "input": "{} GA Text Input - Predictions", "cached_input": "{} GA Text Input Caching",
    "output": "{} GA Text Output - Predictions", "thinking": "{} GA Thinking Text Output - Predictions",
}  # fmt: skip
Used = dict[tuple[int, str, str], int]  # (hour, model, usage kind) -> tokens


def used_tokens(calls: Iterable[Call], start_us: int) -> Used:
    """What the calls used, by the hour in which they finished; what the provider failed is not charged."""
    used: Used = defaultdict(int)
    for call in calls:
        if call.status != "error":
            hour = (call.finished_us - start_us) // HOUR_US
            for usage, tokens in call.usage().items():
                used[hour, call.service.model.name, usage] += tokens
    return used


def unwatched(used: Used) -> Used:
    """What a script used that nobody watches: on the bill, and in no log."""
    share, model = cast.UNWATCHED_SHARE, cast.FLASH.name
    return {key: round(tokens * share) for key, tokens in used.items() if key[1] == model}


def export_lines(used: Used, start_us: int, rng: Random) -> dict[str, list[str]]:
    """The files of the export by their names; the first is delivered twice."""
    files: dict[str, list[str]] = defaultdict(list)
    for (hour, model, usage), tokens in sorted(used.items()):
        if tokens and hour < cast.DAY_HOURS - LAG_HOURS:
            partial = hour >= cast.DAY_HOURS - LAG_HOURS - PARTIAL_HOURS
            export_us = _export_us(start_us, hour)
            parts = _split(tokens, rng)
            for part in parts[:1] if partial else parts:
                hours = (start_us + hour * HOUR_US, start_us + (hour + 1) * HOUR_US)
                files[_name(export_us)].append(_usage_row((model, usage), part, hours, export_us))
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
    if tokens < SPLIT_TOKENS_MIN:
        return [tokens]
    first = round(tokens * rng.uniform(0.5, 0.8))
    return [first, tokens - first]


def _usage_row(sku: tuple[str, str], tokens: int, hours: tuple[int, int], export_us: int) -> str:
    """So many tokens of one model and usage kind, at list price, with the discount as a credit."""
    model, usage = MODELS[sku[0]], sku[1]
    cost_nano = tokens * model.list_nano[usage]
    return _row({
        "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
        "sku": {"id": f"DEMO-{usage}", "description": WORDS[usage].format(model.billed_as)},
        **_span(hours, export_us), "project": {"id": ACCOUNT, "number": "123456789", "name": ACCOUNT},
        "usage": {
            "amount": tokens, "unit": "count", "amount_in_pricing_units": tokens / 1_000_000,
            "pricing_unit": "1000000 count",
        },
    }, cost_nano, tokens * model.net_nano(usage) - cost_nano)  # fmt: skip


def _other_rows(start_us: int) -> Iterator[tuple[int, str]]:
    """Storage, and the tax, which belongs to no project."""
    export_us = _export_us(start_us, 5)
    span = _span((start_us, start_us + HOUR_US), export_us)
    yield export_us, _row({
        "service": {"id": "95FF-2EF5-5EA1", "description": "Cloud Storage"},
        "sku": {"id": "DEMO-storage", "description": "Standard Storage US Multi-region"}, **span,
        "project": {"id": ACCOUNT, "number": "123456789", "name": ACCOUNT},
        "usage": {"amount": 50_000_000_000, "unit": "byte-seconds"},
    }, 1_310_000_000)  # fmt: skip
    yield export_us, _row({
        "service": {"id": "DEMO-invoice", "description": "Invoice"},
        "sku": {"id": "DEMO-tax", "description": "Tax"}, **span, "project": None, "cost_type": "tax",
    }, 2_170_000_000)  # fmt: skip


def _span(hours: tuple[int, int], export_us: int) -> dict[str, str]:
    start, end, export = map(_instant, (*hours, export_us))
    return {"usage_start_time": start, "usage_end_time": end, "export_time": export}


def _row(says: dict[str, Any], cost_nano: int, credit_nano: int = 0) -> str:
    """One row of the export. Money is put in as decimal text: a float would not write it as it is."""
    credit = {"name": "Negotiated", "amount": "@credit", "full_name": None, "id": "demo", "type": "DISCOUNT"}
    row: dict[str, Any] = {
        "billing_account_id": "01ABCD-2EF345-67890A", "labels": [], "cost": "@cost", "currency": "USD",
        "currency_conversion_rate": 1.0, "location": {"location": "us-central1", "country": "US"},
        "cost_type": "regular", "credits": [credit] if credit_nano else [], **says,
    }  # fmt: skip
    text = json.dumps(row, separators=(",", ":")).replace('"@cost"', text_from_nano(cost_nano))
    return text.replace('"@credit"', text_from_nano(credit_nano))


def _instant(at_us: int) -> str:
    return f"{instant_text(at_us)[:19].replace('T', ' ')} UTC"
