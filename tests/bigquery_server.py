"""A stand-in for BigQuery on loopback: rows of a table go in, the real client queries them over REST.

It knows the two queries of a source by what they select, and answers them by their parameters, as the SQL says;
that the SQL is right is for bqemulator to tell (test_bigquery_emulator.py). A job keeps the rows it has found.
Faults are told beforehand: what the next calls answer, which jobs are gone, who may do what.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from collector.records import instant_text, instant_us
from tests.loopback import json_server

Row = dict[str, Any]
STATUSES = {"accessDenied": 403, "quotaExceeded": 403, "rateLimitExceeded": 403, "notFound": 404, "duplicate": 409,
    "invalidQuery": 400, "backendError": 503, "internalError": 500}  # fmt: skip
PATH = re.compile(r"/bigquery/v2/projects/(?P<project>[^/]+)/(?P<what>datasets|jobs|queries)(?:/(?P<rest>.+))?")
ROWS_SCHEMA = [{"name": "export_at_us", "type": "INTEGER"}, {"name": "line", "type": "STRING"}]
CENSUS_SCHEMA = [{"name": "export_at_us", "type": "INTEGER"}, {"name": "row_count", "type": "INTEGER"}]
ROW_BYTES = 400


class FaultError(Exception):
    """The call is answered with this reason of BigQuery's."""

    def __init__(self, reason: str, message: str = "as the test says") -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass
class Job:
    """A query that was run: its rows, or why there are none."""

    resource: Row
    schema: Sequence[Row]
    rows: list[list[Any]]


@dataclass
class Store:
    """What the server knows, and what it has been asked. `faults`: how the next calls end ("": well)."""

    table: str = "acme.export.bill"
    rows: list[Row] = field(default_factory=list)
    instant_us: Callable[[Row], int] = lambda row: at_us(row["export_time"])  # what the rows are ordered by
    select: Callable[[Row], Row] = field(default_factory=lambda: narrow)  # what the query selects of a row
    columns: tuple[str, ...] = ()  # those that a table of its kind need not have
    partitioning: Row | None = field(default_factory=lambda: {"type": "DAY"})
    streaming: bool = False
    location: str = "EU"
    page_rows: int = 10_000
    faults: list[str] = field(default_factory=list)
    job_faults: list[str] = field(default_factory=list)  # how the next jobs end, once they have been started
    denied: set[str] = field(default_factory=set)  # "jobs", "tables"
    jobs: dict[str, Job] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # what was called, in order
    queries: list[str] = field(default_factory=list)  # the texts that were run
    changes: int = 0
    before: Callable[[int], None] = lambda _: None  # called with the number of each call before it is answered

    def put(self, *rows: Row) -> None:
        """Rows that are appended to the export."""
        self.rows.extend(rows)
        self.changes += 1

    def answer(self, method: str, url: str, body: Row) -> Row:
        """One answer of the API. Raises FaultError."""
        parts = urlsplit(url)
        found = PATH.fullmatch(parts.path)
        assert found, url
        what = f"{found['what']}{'.insert' if method == 'POST' else ''}"
        what += " dry" if body.get("configuration", {}).get("dryRun") else ""
        self.asked.append(what)
        self.before(len(self.asked))
        if self.faults and (reason := self.faults.pop(0)):
            raise FaultError(reason)
        if found["what"] == "datasets":
            return self._table(found["project"], found["rest"])
        if method == "POST":
            return self._insert(found["project"], body)
        job = self._job(found["rest"])
        if found["what"] == "jobs":
            return job.resource
        return self._results(job, {key: values[0] for key, values in parse_qs(parts.query).items()})

    def _table(self, project: str, rest: str) -> Row:
        if "tables" in self.denied:
            raise FaultError("accessDenied", "Permission bigquery.tables.get denied on table")
        dataset, _, table = rest.partition("/tables/")
        if f"{project}.{dataset}.{table}" != self.table:
            raise FaultError("notFound", f"Not found: Table {project}:{dataset}.{table}")
        told: Row = {
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table}, "type": "TABLE",
            "location": self.location, "numRows": str(len(self.rows)),
            "schema": {"fields": [{"name": name, "type": "JSON"} for name in self.columns]},
            "lastModifiedTime": str(1_795_132_800_000 + self.changes),
        }  # fmt: skip
        told |= {"timePartitioning": self.partitioning} if self.partitioning else {}
        return told | ({"streamingBuffer": {"estimatedRows": "1"}} if self.streaming else {})

    def _insert(self, project: str, body: Row) -> Row:
        config, reference = body["configuration"], body["jobReference"]
        if "jobs" in self.denied:
            raise FaultError("accessDenied", "User does not have bigquery.jobs.create permission in project")
        where = reference.get("location", "US")
        if where != self.location:
            raise FaultError("notFound", f"Not found: Dataset {self.table} was not found in location {where}")
        if reference.get("jobId") in self.jobs:
            raise FaultError("duplicate", "Already Exists: Job")
        text = config["query"]["query"]
        assert f"`{self.table}`" in text
        schema, rows, size = self._run(text, config["query"]["queryParameters"])
        resource: Row = {
            "jobReference": {"projectId": project, "location": where, "jobId": reference.get("jobId", "dry")},
            "configuration": config, "status": {"state": "DONE"},
            "statistics": {"totalBytesProcessed": str(size), "query": {"totalBytesProcessed": str(size)}},
        }  # fmt: skip
        if config.get("dryRun"):
            return resource
        self.queries.append(text)
        bound = int(config["query"]["maximumBytesBilled"])
        fault = self.job_faults.pop(0) if self.job_faults else ""
        if size > bound:
            fault = "bytesBilledLimitExceeded"
        if fault:
            message = f"Query exceeded limit for bytes billed: {bound}." if size > bound else "as the test says"
            resource["status"]["errorResult"] = {"reason": fault, "message": message}
        self.jobs[reference["jobId"]] = Job(resource, schema, rows)
        return resource

    def _job(self, name: str) -> Job:
        if name not in self.jobs:
            raise FaultError("notFound", f"Not found: Job {self.table.split('.')[0]}:{name}")
        return self.jobs[name]

    def _results(self, job: Job, asked: dict[str, str]) -> Row:
        start = int(asked.get("pageToken") or asked.get("startIndex", "0"))
        size = min(int(asked.get("maxResults", "1000000000")), self.page_rows)
        found = job.rows[start : start + size]
        told: Row = {
            "kind": "bigquery#getQueryResultsResponse", "jobReference": job.resource["jobReference"],
            "jobComplete": True, "totalRows": str(len(job.rows)), "schema": {"fields": job.schema},
            "rows": [{"f": [{"v": str(value)} for value in row]} for row in found],
        }  # fmt: skip
        return told | ({"pageToken": str(start + size)} if start + size < len(job.rows) else {})

    def _run(self, text: str, parameters: Sequence[Row]) -> tuple[Sequence[Row], list[list[Any]], int]:
        """What a query finds: schema, rows, and how many bytes it reads."""
        bound = {one["name"]: one["parameterValue"] for one in parameters}
        from_us = instant_us(datetime.fromisoformat(bound["since"]["value"]))
        known = {int(one["value"]) for one in bound["known_us"].get("arrayValues", [])}
        assert ("_PARTITIONTIME" in text) == (self.partitioning == {"type": "DAY"})
        assert all((name in text) == (name in self.columns) for name in ("otel_log",) if "logging_time" in text)
        found = [row for row in self.rows if self.instant_us(row) >= from_us]
        if "COUNT(*)" in text:
            counts = Counter(self.instant_us(row) for row in found)
            return CENSUS_SCHEMA, [[at, count] for at, count in sorted(counts.items())], 8 * len(found)
        told = [(self.instant_us(row), json.dumps(self.select(row))) for row in found]
        told = sorted((one for one in told if one[0] not in known), key=lambda one: one[0])
        return ROWS_SCHEMA, [list(one) for one in told], ROW_BYTES * len(found)


def at_us(text: str) -> int:
    """An export's instant, as microseconds."""
    return instant_us(datetime.fromisoformat(text.replace(" UTC", "+00:00")))


def narrow(row: Row) -> Row:
    """What the query selects of a row, whose numbers are text."""
    usage = row.get("usage") or {}
    told = {
        name: {key: (row.get(name) or {}).get(key) for key in keys}
        for name, keys in {"service": ("id", "description"), "sku": ("id", "description"), "project": ("id",)}.items()
    }
    return told | {
        **{name: instant_text(at_us(row[name])) for name in ("usage_start_time", "usage_end_time", "export_time")},
        **{name: row.get(name) for name in ("cost", "currency", "cost_type")},
        "usage": {key: usage.get(key) for key in ("amount", "unit", "pricing_unit")},
        "credits": [{"amount": one["amount"]} for one in row.get("credits", [])],
    }


@contextmanager
def server(store: Store) -> Iterator[str]:
    """Serve the API; the address as host:port."""
    lock = threading.Lock()

    def answer(method: str, path: str, asked: Row) -> tuple[int, Row]:
        try:
            with lock:  # a job whose caller was killed is there before anybody asks for it
                return 200, store.answer(method, path, asked)
        except FaultError as fault:
            status = STATUSES[fault.reason]
            errors = [{"reason": fault.reason, "message": fault.message}]
            return status, {"error": {"code": status, "message": fault.message, "errors": errors}}

    with json_server(answer) as address:
        yield address
