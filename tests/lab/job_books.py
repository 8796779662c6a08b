"""What the provider logs and charges of its jobs: Cloud Logging entries, rows of the bill, and the config for them.

Played jobs come in; files go out. An operation shows as a pair of audit entries and the looks at it, a batch as the
object that its state was reported with. Formats: LogEntry, AuditLog and LogEntryOperation, cloud.google.com/logging.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tests.lab import books
from tests.lab.books import HOUR_US, instant
from tests.lab.calls import PROJECT
from tests.lab.jobs import BATCH_MODEL, INPUT_TOKENS, OUTPUT_TOKENS, PARTS, VIDEO_MODEL, Job, operation_id

Json = dict[str, Any]
INPUT_NANO, OUTPUT_NANO = 151, 1_249  # the batch prices, a token
VIDEO_COST = "0.75"  # of an operation, a part
_LOG = "jobs/provider.jsonl"


def write(room: Path, jobs: Mapping[str, Job], at_us: int) -> None:
    """The provider's log; its bill: a batch in the hour in which it ended, films in that of `at_us`; the config."""
    books.write_lines(room / _LOG, [entry for name, job in jobs.items() for entry in _entries(name, job)])
    done: Counter[int] = Counter()
    for job in jobs.values():
        if job.kind == "batch":
            done[job.ended_us // HOUR_US] += job.parts_done
    films = sum(job.parts_done for job in jobs.values() if job.kind == "operation")
    tokens = {"Input": (INPUT_TOKENS, INPUT_NANO), "Output": (OUTPUT_TOKENS, OUTPUT_NANO)}
    rows = [
        books.charged(
            "gcp.gemini", f"Gemini 3.5 Flash Text {word} - Batch Predictions", hour, parts * count,
            books.decimal(parts * count * nano),
        )
        for hour, parts in sorted(done.items())
        for word, (count, nano) in tokens.items()
    ]  # fmt: skip
    rows.append(books.charged("gcp.vertex_ai", "Veo 3 by the part", at_us // HOUR_US, films, VIDEO_COST))
    books.write_lines(room / books.BILL, rows)
    books.write_config(room)
    whole = yaml.safe_load((room / books.CONFIG).read_text(encoding="utf-8"))
    whole["sources"].insert(-1, {
        "name": "jobs", "kind": "cloud-logging-file", "preset": "jobs", "path": _LOG, "provider": "gcp.gemini",
    })  # fmt: skip
    whole["prices"].append({
        "model": BATCH_MODEL, "provider": "gcp.gemini", "from": date(2026, 1, 1), "currency": "USD",
        "price_class": "batch", "input_per_mtok": books.decimal(INPUT_NANO * 1_000_000),
        "output_per_mtok": books.decimal(OUTPUT_NANO * 1_000_000),
    })  # fmt: skip
    (room / books.CONFIG).write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")


def cost_nano(job: Job) -> int:
    """What a batch costs."""
    return job.parts_done * (INPUT_TOKENS * INPUT_NANO + OUTPUT_TOKENS * OUTPUT_NANO)


def _entries(name: str, job: Job) -> list[Json]:
    looks = [_audited(name, job, "looked", at_us) for at_us in job.looked_us]
    cancels = [_audited(name, job, "cancelled", at_us) for at_us in job.cancelled_us]
    return [*(_batch(name, job) if job.kind == "batch" else _operation(name, job)), *looks, *cancels]


_METHODS = {
    ("batch", "looked"): "google.ai.generativelanguage.v1beta.BatchService.GetGenerateContentBatch",
    ("batch", "cancelled"): "google.ai.generativelanguage.v1beta.BatchService.CancelGenerateContentBatch",
    ("operation", "looked"): "google.cloud.aiplatform.v1.PredictionService.FetchPredictOperation",
    ("operation", "cancelled"): "google.longrunning.Operations.CancelOperation",
}


def _audited(name: str, job: Job, what: str, at_us: int) -> Json:
    known = f"batches/{name}" if job.kind == "batch" else operation_id(name)
    payload: Json = {"methodName": _METHODS[job.kind, what], "resourceName": known}
    if (job.kind, what) == ("operation", "looked"):  # what is asked there is the model
        payload |= {"resourceName": known.partition("/operations/")[0], "request": {"operationName": known}}
    return {**_entry(f"{name}-{what}-{at_us}", at_us), "protoPayload": payload}


def _batch(name: str, job: Job) -> list[Json]:
    told: Json = {"name": f"batches/{name}", "model": f"models/{BATCH_MODEL}", "createTime": instant(job.filed_us)}
    ended = {
        "state": f"BATCH_STATE_{job.state}", "endTime": instant(job.ended_us),
        "completionStats": {"successfulCount": str(job.parts_done), "incompleteCount": str(PARTS - job.parts_done)},
        "usage": {"input_tokens": job.parts_done * INPUT_TOKENS, "output_tokens": job.parts_done * OUTPUT_TOKENS},
    }  # fmt: skip
    return [
        {**_entry(f"{name}-running", job.filed_us), "jsonPayload": {**told, "state": "BATCH_STATE_RUNNING"}},
        {**_entry(f"{name}-ended", job.ended_us + 1), "jsonPayload": {**told, **ended}},
    ]


def _operation(name: str, job: Job) -> list[Json]:
    payload = {
        "methodName": "google.cloud.aiplatform.v1.PredictionService.PredictLongRunning",
        "resourceName": f"projects/{PROJECT}/locations/us-central1/publishers/google/models/{VIDEO_MODEL}",
    }
    # Google's logs name the project by its number, where its API names it as its caller does
    known = {"id": f"projects/123456/locations/us-central1/operations/{name}", "producer": "aiplatform.googleapis.com"}
    ended = {**payload, "status": {"code": 1}} if job.state == "CANCELLED" else payload
    return [
        {**_entry(f"{name}-first", job.filed_us), "protoPayload": payload, "operation": {**known, "first": True}},
        {**_entry(f"{name}-last", job.ended_us), "protoPayload": ended, "operation": {**known, "last": True}},
    ]


def _entry(insert_id: str, at_us: int) -> Json:
    return {
        "insertId": insert_id, "logName": f"projects/{PROJECT}/logs/jobs", "timestamp": instant(at_us),
        "resource": {"type": "audited_resource", "labels": {"project_id": PROJECT}},
    }  # fmt: skip
