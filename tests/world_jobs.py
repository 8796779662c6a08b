"""The jobs of a simulated world: batches and operations, who waited, what a cancel did, and what is true of each.

A spec and a generator come in; jobs with their work go out, then the lines that tell of them, and the truth about their
money. Every fate that the logs can tell apart is drawn; the jobs' work stands in the same buckets as the calls'.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Literal, Protocol, get_args

from tests.world_books import NANO, NOTHING, Books
from tests.world_calls import Usage, Work
from tests.world_spec import APP, HOUR_US, JOBS, PROVIDER, SECOND_US, USAGE_KINDS, WorldSpec, instant_text

Fate = Literal[
    "delivered", "interrupted", "vanished", "honoured", "too_late", "after_all", "turned", "fetched later", "looked at",
    "left alone", "cancelled by hand", "failed", "stopped by nobody", "never ended",
]  # fmt: skip
FATES: tuple[Fate, ...] = get_args(Fate)
CANCELLED = frozenset({"honoured", "too_late", "after_all", "turned", "cancelled by hand"})
STOPPED = frozenset({"honoured", "cancelled by hand", "stopped by nobody"})
LOOKED_AT = frozenset({"looked at", "left alone", "cancelled by hand", "stopped by nobody"})
_VERDICTS = {
    "interrupted": "orphaned", "vanished": "orphaned", "honoured": "cut_short", "too_late": "orphaned",
    "after_all": "orphaned", "turned": "orphaned", "fetched later": "delivered", "left alone": "orphaned",
    "cancelled by hand": "cut_short", "failed": "failed", "never ended": "unmatched",
}  # fmt: skip
_RESULTS = {
    "honoured": "honoured", "too_late": "too_late", "after_all": "completed_after_all",
    "turned": "completed_after_all", "cancelled by hand": "honoured",
}  # fmt: skip
MINUTE_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `left_us`: when its waiter left, or its cancel was asked for by hand. `work`: what it did."""

    name: str
    kind: Literal["batch", "operation"]
    fate: Fate
    account: str
    service: str
    filed_us: int
    left_us: int
    requests: int
    done: int
    work: Work

    @property
    def ended_us(self) -> int | None:
        """None: no log ever says."""
        return None if self.fate == "never ended" else self.work.finished_us


@dataclass(frozen=True, slots=True)
class TrueJob:
    """What is true of a job. Money in units of the currency; `avoided`: None where the cancel was not honoured."""

    job: Job
    verdict: str | None  # None: nobody left it
    reason: str | None
    cancel_result: str | None
    cost: Fraction
    lost: Fraction
    avoided: Fraction | None


class Pen(Protocol):
    """Writes one record of a source at an instant."""

    def add(self, source: str, name: str, at_us: int, record: dict[str, object], *, garbles: bool) -> None:
        """Append it to the log of that name."""


def plan(spec: WorldSpec, rng: Random) -> list[Job]:
    """The jobs of the world: each fate in turn, so that few make a whole."""
    return [_job(spec, rng, number) for number in range(spec.jobs)]


def _job(spec: WorldSpec, rng: Random, number: int) -> Job:
    fate = FATES[number % len(FATES)]
    kind: Literal["batch", "operation"] = rng.choice(("batch", "operation"))
    name = f"batches/job-{number}" if kind == "batch" else f"operations/job-{number}"
    account = rng.choice(spec.accounts)
    filed_us = spec.start_us + rng.randrange(MINUTE_US, max(spec.hours, 1) * HOUR_US)
    left_us = filed_us + rng.randrange(MINUTE_US, 20 * MINUTE_US)
    requests = rng.randrange(5, 60)
    early = fate in {"too_late", "fetched later"}
    gap_us = rng.randrange(5 * SECOND_US, 9 * MINUTE_US)
    ended_us = left_us - min(gap_us, MINUTE_US // 2) if early else left_us + gap_us
    done = rng.randrange(1, requests) if fate in STOPPED else requests
    status: Literal["ok", "cancelled", "error"] = "cancelled" if fate in STOPPED else "ok"
    status = "error" if fate == "failed" else status
    billed = {"ok": True, "cancelled": spec.cancelled_billed, "error": spec.error_billed}[status]
    usage = Usage(
        input=done * rng.randrange(50, 4000), cached_input=rng.choice((0, done * 300)),
        output=done * rng.randrange(20, 900) + rng.randrange(done), thinking=0,
    )  # fmt: skip
    work = Work(
        completion_id=name, account=account, model=rng.choice(spec.models_of(account)).name, stream=False,
        status=status, received_us=filed_us, first_byte_us=None, finished_us=ended_us, usage=usage, request_id=None,
        trace_id=None, span_id=None, response_id=None, logged=True, billed=billed,
    )  # fmt: skip
    if fate == "never ended":
        work = replace(work, usage=Usage(0, 0, 0, 0), billed=False)
    return Job(name, kind, fate, account, rng.choice(spec.services), filed_us, left_us, requests, done, work)


# Lines ----------------------------------------------------------------------------------------------------


def write(spec: WorldSpec, jobs: Iterable[Job], pen: Pen) -> None:
    """Every line that tells of a job."""
    for job in jobs:
        for at_us, record in _client_records(job):
            known = {"at": instant_text(at_us + spec.skew_us(APP)), "job_id": job.name}
            pen.add(APP, f"{job.service}-jobs", at_us, {**record, **known}, garbles=False)
        for at_us, number, record in _entries(job):
            head = {
                "insertId": f"{job.name}-{number}", "logName": f"projects/{job.account}/logs/jobs",
                "timestamp": instant_text(at_us), "resource": {"labels": {"project_id": job.account}},
            }  # fmt: skip
            pen.add(JOBS, "jobs", at_us, {**head, **record}, garbles=False)


def call_id(job: Job, waiter: int = 1) -> str:
    """The name of a wait."""
    return f"wait-{job.name.rpartition('-')[2]}-{waiter}"


def _client_records(job: Job) -> Iterator[tuple[int, dict[str, object]]]:
    if job.fate in LOOKED_AT:
        return
    ended_us = job.work.finished_us
    yield job.filed_us + SECOND_US, _wait(job, "job_wait_started", 1)
    if job.fate == "delivered":
        yield ended_us + SECOND_US, _wait(job, "job_wait_ended", 1, outcome="delivered", reason=None)
    elif job.fate != "vanished":
        yield job.left_us, _wait(job, "job_wait_ended", 1, outcome="aborted", reason="interrupt")
    if job.fate == "fetched later":
        yield job.left_us + MINUTE_US, _wait(job, "job_wait_started", 2)
        yield job.left_us + 2 * MINUTE_US, _wait(job, "job_wait_ended", 2, outcome="delivered", reason=None)
    if job.fate in CANCELLED:
        told = {"honoured": "confirmed", "too_late": "too_late", "turned": "confirmed"}.get(job.fate, "unconfirmed")
        state = {"confirmed": "cancelled", "too_late": "succeeded"}.get(told)
        yield job.left_us + 1, _wait(job, "cancel_requested", 1)
        seen_us = ended_us if job.fate == "honoured" else job.left_us
        yield seen_us + SECOND_US, _wait(job, "cancel_ended", 1, cancel_outcome=told, state=state)


def _wait(job: Job, event: str, waiter: int, **more: object) -> dict[str, object]:
    head: dict[str, object] = {"event": event, "call_id": call_id(job, waiter), **more}
    if event == "job_wait_started":
        head |= {"service": job.service, "provider": PROVIDER, "model": job.work.model, "operation": job.kind}
    return head


def _entries(job: Job) -> Iterator[tuple[int, int, dict[str, object]]]:
    """What the provider's log has of it: an operation's two ends, or the states of a batch; looks and cancels."""
    ended_us, usage = job.work.finished_us, job.work.usage
    known = {"name": f"projects/{job.account}/locations/x/{job.name}", "model": f"models/{job.work.model}"}
    operation = {"id": f"projects/77/locations/x/{job.name}"}
    method = {"protoPayload": {"methodName": "google.cloud.aiplatform.v1.PredictionService.PredictLongRunning"}}
    if job.kind == "operation":
        yield job.filed_us, 1, {**method, "operation": {**operation, "first": True}}
    yield (
        job.filed_us,
        2,
        {"jsonPayload": {**known, "state": "JOB_STATE_RUNNING", "createTime": instant_text(job.filed_us)}},
    )
    for number, at_us in enumerate(_looks(job), 10):
        verb = {
            "methodName": "google.cloud.aiplatform.v1.JobService.GetBatchPredictionJob",
            "resourceName": known["name"],
        }
        yield at_us, number, {"protoPayload": verb}
    if job.fate == "cancelled by hand":
        verb = {"methodName": "google.longrunning.Operations.CancelOperation", "resourceName": known["name"]}
        yield job.left_us, 3, {"protoPayload": verb}
    if job.fate == "turned":  # reported as cancelled, until it was reported as completed
        yield job.left_us + 2, 4, {"jsonPayload": {**known, "state": "JOB_STATE_CANCELLED"}}
    if job.fate == "never ended":
        return
    if job.kind == "operation":
        code = {"ok": 0, "cancelled": 1, "error": 13}[job.work.status]
        status = {"status": {"code": code}} if code else {}
        yield (
            ended_us,
            5,
            {"protoPayload": {**method["protoPayload"], **status}, "operation": {**operation, "last": True}},
        )
    state = {"ok": "SUCCEEDED", "cancelled": "CANCELLED", "error": "FAILED"}[job.work.status]
    yield ended_us + SECOND_US, 6, {"jsonPayload": {
        **known, "state": f"JOB_STATE_{state}", "endTime": instant_text(ended_us),
        "usage": {
            "input_tokens": usage.input + usage.cached_input, "cached_input_tokens": usage.cached_input,
            "output_tokens": usage.output,
        },
        "completionStats": {"successfulCount": str(job.done), "incompleteCount": str(job.requests - job.done)},
    }}  # fmt: skip


def _looks(job: Job) -> list[int]:
    """When somebody asked for its state, where only the provider's log shows it."""
    if job.fate not in LOOKED_AT:
        return []
    looks = [job.filed_us + 10 * SECOND_US, job.left_us - SECOND_US]
    return [*looks, job.work.finished_us + SECOND_US] if job.fate == "looked at" else looks


# Truth ----------------------------------------------------------------------------------------------------


def judge(jobs: Iterable[Job], books: Books) -> tuple[TrueJob, ...]:
    """What became of every job; what is lost is taken out of the books."""
    return tuple(_truth(job, books) for job in jobs)


def _truth(job: Job, books: Books) -> TrueJob:
    verdict = _VERDICTS.get(job.fate)
    part = "cut_short" if job.fate == "stopped by nobody" else verdict
    if part in {"orphaned", "cut_short", "failed"}:
        books.take(job.work, part, dict.fromkeys(USAGE_KINDS, Fraction(1)))
    cost = sum(books.costs(job.work).values(), NOTHING)
    reason = {"vanished": "vanished", "left alone": "vanished", "cancelled by hand": "cancelled"}.get(
        job.fate, "interrupt"
    )
    result = _RESULTS.get(job.fate)
    return TrueJob(
        job=job, verdict=verdict, reason=reason if verdict else None, cancel_result=result, cost=cost,
        lost=cost if verdict in {"orphaned", "cut_short"} else NOTHING,
        avoided=avoided_of(cost, job) if result == "honoured" else None,
    )  # fmt: skip


def avoided_of(cost: Fraction, job: Job) -> Fraction:
    """What the requests that were not done would have cost at the mean cost of the others."""
    return Fraction(round(cost * NANO)) * (job.requests - job.done) / job.done / NANO
