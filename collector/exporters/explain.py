"""The life of a call, as plain values: what `orphaned explain ID` tells, and what its `--format json` prints.

An id and a connection to the ledger come in; a document an attempt goes out: what every observer logged and
where, the completion, how the two were matched, the verdict with its earlier versions, the prices and the
share of the bill. Instants are RFC 3339 text, amounts decimal text; `telling` makes prose of it. Nothing is
decided here: every figure stands in the ledger.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from collector.exporters import retry_story
from collector.exporters.lives import ROWS_MAX, Call, Life, Row, joined_by, lives_of, rows
from collector.ledger import dialect
from collector.money import text_from_nano
from collector.records import instant_text

Document = dict[str, Any]
LineText = Callable[[str, int], str | None]  # path, line number -> the line, if it is still there

_IDS = ("request_id", "received_request_id", "trace_id", "span_id", "response_id", "retry_of", "process")
_TOLD = ("outcome", "reason", "status_code", "bytes_received", "output_tokens_received")
_ASKED = ("service", "provider", "account", "model", "operation", "stream")
_TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "thinking_tokens", "images")
_VERDICT = (
    "verdict", "reason", "evidence", "match_probability", "completion_id", "currency", "basis",
    "share_evidence",
)  # fmt: skip
_JOB = (
    "job_id", "kind", "provider", "account", "model", "service", "observer", "call_id", "state", "status", "is_logged",
    "was_cancelled", "waits", "reason", "looks", "fetched", "cancel_result", "is_abort", "price_class",
    "requests_total", "requests_done", "requests_failed", "avoided_by", *_TOKENS,
)  # fmt: skip
_JOB_INSTANTS = (
    "created_at", "started_at", "finished_at", "left_at", "last_look_at", "cancel_requested_at",
)  # fmt: skip
_JOB_EVENT = (
    "source", "event", "call_id", "outcome", "reason", "state", "cancel_outcome", "requests_total", "requests_done",
)  # fmt: skip
_AMOUNTS = {
    "cost": "cost_nano", "orphaned_cost": "orphaned_nano", "orphaned_cost_low": "orphaned_low_nano",
    "orphaned_cost_high": "orphaned_high_nano", "avoidable_cost": "avoidable_nano",
}  # fmt: skip


def explained(
    connection: duckdb.DuckDBPyConnection, wanted: str, values: Mapping[str, Any], line_text: LineText
) -> list[Document]:
    """The attempts that bear the id `wanted`, the earliest first; none if the ledger does not know it.

    `values` holds now_us and horizon_us; `line_text` reads a source line again.
    """
    dialect.script(connection, "collector.ledger", ["macros"])
    dialect.script(connection, "collector.exporters", ["job_avoided"])
    teller = _Teller(connection, values, line_text)
    jobs = [teller.job(row) for row in rows(connection, "life_job", {"id": wanted, "rows_max": ROWS_MAX})]
    return jobs + [teller.life(life) for life in lives_of(connection, wanted)]


class _Teller:
    """Puts one life after another into documents."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], line_text: LineText) -> None:
        self._connection, self._values, self._line_text = connection, values, line_text

    def life(self, life: Life) -> Document:
        """Everything about one attempt."""
        calls = [self._call(call) for call in life.calls]
        return {
            "calls": calls,
            "completions": [self._completion(one, life) for one in life.completions],
            "retried_as": self._retries(life),
            "retries": self._retry_sentences(life),
            "horizon_us": self._values["horizon_us"],
            "as_of": instant_text(self._values["now_us"]),
        }

    def job(self, row: Row) -> Document:
        """Everything about one job: its life, its verdict, and what its work cost."""
        versions = self._versions_of(row["suspect_no"])
        standing = versions[-1] if versions and not versions[-1]["retracted"] else None
        currency = standing["currency"] if standing else None
        work = {**row, "completion_id": row["job_id"], "currency": currency}
        known = row["provider"] is not None and row["finished_at_us"] is not None
        return {
            "job": {
                **{name: row[name] for name in _JOB},
                **{name: _instant(row[f"{name}_us"]) for name in _JOB_INSTANTS},
                "avoided_cost": _amount(row["avoided_nano"]),
            },
            "events": [self._event(event) for event in rows(self._connection, "life_job_event", row)],
            "calls": [{"observer": row["observer"], "verdict": standing, "versions": versions}],
            "completion": {
                "verdict": row["verdict"], "billed": row["billed"], "disputed": row["disputed"],
                "prices": [_price(one) for one in rows(self._connection, "life_price", work)] if known else [],
                "bill_shares": [_share(one) for one in rows(self._connection, "life_share", work)] if known else [],
            },
            "as_of": instant_text(self._values["now_us"]),
        }  # fmt: skip

    def _event(self, row: Row) -> Document:
        return {**{name: row[name] for name in _JOB_EVENT}, **self._line(row)}

    def _call(self, call: Call) -> Document:
        first, last = call.first, call.last
        versions = self._versions(call)
        return {
            "observer": first["source"],
            "call_id": first["call_id"],
            **{name: first[name] for name in _ASKED},
            **{name: next((line[name] for line in call.lines if line[name]), None) for name in _IDS},
            "started_at": _instant(first["started_at_us"]),
            "ended_at": _instant(last["ended_at_us"] or last["at_us"]) if last else None,
            **{name: last[name] if last else None for name in _TOLD},
            "is_suspect": first["suspect_no"] is not None,
            "carries_the_money": bool(first["money_row"]) or first["attempt_no"] is None,
            "lines": [self._line(line) for line in call.lines],
            "rivals": self._rivals(first["suspect_no"]),
            "verdict": versions[-1] if versions and not versions[-1]["retracted"] else None,
            "versions": versions,
        }

    def _line(self, line: Row) -> Document:
        at_us = line["at_us"] if "at_us" in line else line["finished_at_us"]
        path = json.loads(line["cursor"])["path"] if line["cursor"] else None
        text = self._line_text(path, line["line_no"]) if path else None
        if text and not any(line.get(name) and line[name] in text for name in ("call_id", "completion_id", "job_id")):
            text = None  # another file stands there now
        place = f"{path}:{line['line_no']}" if path else None
        return {"at": _instant(at_us), "event": line.get("event", "completion"), "place": place, "text": text}

    def _versions(self, call: Call) -> list[Document]:
        """Every version of the verdict on this call, the oldest first, and what each changed."""
        suspect_no = call.first["suspect_no"]
        return self._versions_of(suspect_no) if suspect_no else []

    def _versions_of(self, suspect_no: int) -> list[Document]:
        versions: list[Document] = []
        told = {"suspect_nos": [suspect_no], "now_us": self._values["now_us"]}
        for row in rows(self._connection, "life_version", told):
            version = {"run_id": row["run_id"], "recorded_at": _instant(row["recorded_at_us"])}
            version |= {"retracted": row["retracted"], **{name: row[name] for name in _VERDICT}}
            version |= {name: _amount(row[column]) for name, column in _AMOUNTS.items()}
            version["money_row"] = row["money_row"]
            before = versions[-1] if versions else {}
            watched = ("retracted", *_VERDICT, *_AMOUNTS)
            version["changed"] = [name for name in watched if before and before[name] != version[name]]
            versions.append(version)
        return versions

    def _rivals(self, suspect_no: int | None) -> list[Document]:
        """The completions that the call may be by time and size, with the terms of each one's weight."""
        found = rows(self._connection, "life_rival", {"suspect_nos": [suspect_no]}) if suspect_no else []
        return [_rival(row) for row in found]

    def _retry_sentences(self, life: Life) -> list[str]:
        """What the attempt was a retry of and what superseded it, each sentence once however many observers saw it."""
        told: list[str] = []
        for call in life.calls:
            first = call.first
            if first["suspect_no"] is not None:
                told += retry_story.retries_of(self._connection, first["suspect_no"])
            else:
                told += retry_story.superseded_by(self._connection, first["source"], first["call_id"])
        return list(dict.fromkeys(told))

    def _completion(self, row: Row, life: Life) -> Document:
        currency = next((v["currency"] for call in life.calls for v in self._versions(call) if v["currency"]), None)
        shares = rows(self._connection, "life_share", row)
        currency = next((share["currency"] for share in shares), currency)
        prices = rows(self._connection, "life_price", {**row, "currency": currency})
        return {
            **{name: row[name] for name in ("source", "completion_id", "provider", "account", "model", "status")},
            **{name: row[name] for name in ("request_id", "trace_id", "span_id", "response_id", "insert_id")},
            "stream": row["stream"],
            "price_class": row["price_class"],
            "received_at": _instant(row["received_at_us"]),
            "first_byte_at": _instant(row["first_byte_at_us"]),
            "finished_at": _instant(row["finished_at_us"]),
            **{name: row[name] for name in _TOKENS},
            "line": self._line(row),
            "match": [_match(call, row) for call in life.calls],
            "verdict": row["verdict"],
            "share_evidence": row["share_evidence"],
            **{name: row[name] for name in ("lost_part", "lost_whole", "low_part", "high_part")},
            **{name: row[name] for name in ("avoid_part", "avoid_whole", "billed", "disputed")},
            "prices": [_price(price) for price in prices],
            "bill_shares": [_share(share) for share in shares],
        }

    def _retries(self, life: Life) -> list[str]:
        told = {"call_ids": [call.first["call_id"] for call in life.calls], "rows_max": 20}
        return [row["call_id"] for row in rows(self._connection, "life_retry", told)]


def _match(call: Call, completion: Row) -> Document:
    """How one observer's call was joined with the completion, and how far apart they lie."""
    line = call.first
    chosen = line["chosen_completion_id"] == completion["completion_id"] and bool(line["suspect_no"])
    begun_us, started_us = completion["received_at_us"], line["started_at_us"]
    return {
        "observer": line["source"],
        "call_id": line["call_id"],
        "chosen": chosen,
        "evidence": line["evidence"] if chosen else None,
        "probability": line["probability"] if chosen else None,
        "joined_by": joined_by(call, completion) or None,
        "received_after_start_us": begun_us - started_us if begun_us and started_us else None,
    }


def _rival(row: Row) -> Document:
    """One completion that a call may be: each term is a log-likelihood ratio, a pair against two strangers."""
    return {
        **{name: row[name] for name in ("completion_id", "provider", "account", "chosen", "probability", "weight")},
        "finished_at": _instant(row["finished_at_us"]),
        "terms": {name: row[f"{name}_term"] for name in ("start", "end", "size", "kind")},
    }


def _price(row: Row) -> Document:
    """One usage kind's units and the dated price they have."""
    return {
        "usage": row["usage_kind"],
        "units": row["units"],
        "price_per_million": _amount(row["nano_per_million"]),
        "currency": row["currency"],
        "price_class": row["price_class"],
        "from": None if row["from_us"] is None else _instant(row["from_us"]),
        "input_tokens_above": row["input_tokens_above"],
        "origin": row["origin"],
        "estimated_cost": _amount(row["estimated_nano"]),
    }


def _share(row: Row) -> Document:
    """What the completion got of one bucket of the bill."""
    return {
        "usage": row["usage_kind"],
        "usage_start": _instant(row["usage_start_us"]),
        "usage_end": _instant(row["usage_end_us"]),
        "price_class": row["price_class"],
        "currency": row["currency"],
        "used": _usage(row["usage_micro"]),
        "billed_cost": _amount(row["billed_nano"]),
        "billed_usage": _usage(row["billed_micro"]),
        "logged_usage": _usage(row["logged_micro"]),
        "share": _amount(row["share_nano"]),
        "share_low": _amount(row["share_low_nano"]),
        "share_high": _amount(row["share_high_nano"]),
        "settled": row["settled"],
    }


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else instant_text(at_us)


def _amount(nano: int | None) -> str | None:
    return None if nano is None else text_from_nano(int(nano))


def _usage(micro: int | None) -> str | None:
    """Usage is 10^-6 of its unit, and money 10^-9: the same text, a thousand times finer."""
    return None if micro is None else text_from_nano(int(micro) * 1000)
