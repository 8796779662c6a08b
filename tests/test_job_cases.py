"""Jobs, case by case: what a line must be to count, what time alone changes, and what a person is told."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.check import findings
from collector.config import load
from collector.exporters.explain import explained
from collector.exporters.telling import told
from collector.ledger import dialect
from collector.pipeline import reading
from tests.helpers import (
    DESK_CONFIG,
    Desk,
    Row,
    at,
    counters,
    lost_now,
    net_spend,
    problems,
    rows,
    source_counts,
)
from tests.world_spec import PROVIDER

JOBS_LOG, DAY = "jobs/a.jsonl", 24 * 60
SOURCES = [
    *DESK_CONFIG["sources"],
    {"name": "jobs", "kind": "cloud-logging-file", "preset": "jobs", "path": "jobs/*.jsonl", "provider": PROVIDER},
]
PRICES = [*DESK_CONFIG["prices"], DESK_CONFIG["prices"][0] | {"price_class": "batch"}]
GET = "google.cloud.aiplatform.v1.JobService.GetBatchPredictionJob"


class Office(Desk):
    """A desk whose provider logs its jobs. Times are minutes after midnight."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        super().__init__(directory, **{"sources": SOURCES, "prices": PRICES, **changes})

    def event(self, event: str, minute: float, wait: str = "w1", job: str = "batches/1", **more: Any) -> None:
        """A line of the client log about a job."""
        head = {"service": "nightly", "provider": PROVIDER, "model": "acme-chat-1", "operation": "batch"}
        known = head if event == "job_wait_started" else {}
        self.put("client/a.jsonl", {"event": event, "call_id": wait, "at": at(minute), "job_id": job, **known, **more})

    def left(self, minute: float, wait: str = "w1", job: str = "batches/1", *, began: float = 0) -> None:
        """A wait that a Ctrl-C ended."""
        self.event("job_wait_started", began, wait, job)
        self.event("job_wait_ended", minute, wait, job, outcome="aborted", reason="interrupt")

    def cancelled(self, minute: float, outcome: str, state: str | None, job: str = "batches/1") -> None:
        """The cancel that a wait made, and what its client saw come of it."""
        self.event("cancel_requested", minute, job=job)
        self.event("cancel_ended", minute + 0.1, job=job, cancel_outcome=outcome, state=state)

    def state(self, minute: float, state: str, job: str = "batches/1", **more: Any) -> None:
        """The provider's object of the job, as it was logged."""
        payload = {"name": job, "state": f"JOB_STATE_{state}", "model": "models/acme-chat-1", "createTime": at(0)}
        self.entry(minute, f"{job} {state} {minute}", jsonPayload=payload | more)

    def looked(self, minute: float, job: str = "batches/1") -> None:
        """An audit entry: somebody asked for its state."""
        self.entry(minute, f"{job} look {minute}", protoPayload={"methodName": GET, "resourceName": f"x/{job}"})

    def entry(self, minute: float, insert_id: str, **more: Any) -> None:
        """An entry of the provider's log."""
        head = {"insertId": insert_id, "logName": "projects/acme/logs/jobs", "timestamp": at(minute)}
        self.put(JOBS_LOG, {**head, "resource": {"labels": {"project_id": "acme"}}, **more})


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An empty one."""
    return Office(tmp_path)


USED: Row = {"usage": {"input_tokens": 1000, "output_tokens": 2000}}
COST_NANO = 1000 * 300 + 2000 * 2500


def life(office: Office) -> Row:
    """The one job."""
    (row,) = rows(office.config, "job_current")
    return row


def verdict(office: Office) -> Row:
    """The one verdict."""
    (row,) = rows(office.config, "verdict_current")
    return row


def story(office: Office, wanted: str) -> str:
    """What `explain` says."""
    with reading(office.config) as (connection, values):
        return told(explained(connection, wanted, values, lambda _path, _no: None), wanted)


# What time changes ------------------------------------------------------------------------------------------


def test_pending_then_unmatched_then_orphaned(office: Office) -> None:
    """A job that was left waits for its end; told late, it changes the verdict, and nothing is counted twice."""
    office.left(5)
    office.run(10)
    assert verdict(office)["verdict"] == "pending"
    office.run(40)
    assert verdict(office)["verdict"] == "unmatched"
    office.state(90, "SUCCEEDED", **USED)
    office.run(100)
    found = verdict(office)
    assert (found["verdict"], found["evidence"], found["orphaned_nano"], found["basis"]) == (
        "orphaned", "exact", COST_NANO, "estimated",
    )  # fmt: skip
    assert net_spend(counters(office.config)) == lost_now([found])


def test_who_vanished_is_missed_after_the_end_of_the_job(office: Office) -> None:
    """A wait lasts as long as its job: it is missed a horizon after the job's end, not after its own start."""
    office.event("job_wait_started", 0)
    office.run(45)
    office.state(120, "SUCCEEDED", **USED)
    office.run(149)
    assert rows(office.config, "verdict_current") == []
    office.run(151)
    assert (verdict(office)["reason"], verdict(office)["verdict"]) == ("vanished", "orphaned")
    assert verdict(office)["avoidable_nano"] is None
    office.event("job_wait_ended", 121, outcome="delivered", reason=None)
    office.run(200)
    assert rows(office.config, "verdict_current") == []
    assert net_spend(counters(office.config)) == {}


def test_who_vanished_from_a_job_without_a_log(office: Office) -> None:
    """Where no log tells an end, a wait is missed after a day, the longest that a batch may take."""
    office.event("job_wait_started", 0)
    office.run(DAY)
    assert rows(office.config, "verdict_current") == []
    office.run(DAY + 31)
    assert (verdict(office)["reason"], verdict(office)["verdict"]) == ("vanished", "unmatched")


@pytest.mark.parametrize("in_time", [True, False])
def test_process_that_wrote_on_had_not_vanished(office: Office, *, in_time: bool) -> None:
    """Where the waiter's process writes on, only the end of its wait was lost: a problem says so, once."""
    office.event("job_wait_started", 0, process="p1")
    office.state(20, "SUCCEEDED", **USED)
    if not in_time:
        office.run(60)
        assert verdict(office)["reason"] == "vanished"
    office.started("c1", 70, process="p1")
    office.ended("c1", 71, outcome="delivered", reason=None)
    office.run(80)
    office.run(90)
    assert rows(office.config, "verdict_current") == []
    assert problems(office.config)["app", "ended line missing"] == 1


# Who fetched ------------------------------------------------------------------------------------------------


def test_nobody_polls_any_more(office: Office) -> None:
    """Looks tell that somebody waited; a job behind whose end no look comes is orphaned, after a horizon."""
    office.looked(1)
    office.looked(2)
    office.state(10, "SUCCEEDED", **USED)
    office.run(39)
    assert rows(office.config, "verdict_current") == []
    office.run(41)
    found = verdict(office)
    assert (found["observer"], found["call_id"], found["reason"]) == ("jobs", "batches/1", "vanished")
    assert (found["verdict"], found["orphaned_nano"]) == ("orphaned", COST_NANO)
    assert "looked at 2 times" in story(office, "batches/1")
    office.looked(12)  # that line came late
    office.run(60)
    assert rows(office.config, "verdict_current") == []


def test_a_job_that_nobody_is_seen_to_want_has_no_verdict(office: Office) -> None:
    """Where no log shows looks or waits, that none is there says nothing: no verdict, and its cost is delivered."""
    office.state(10, "SUCCEEDED", **USED)
    office.run(DAY)
    assert rows(office.config, "verdict_current") == []
    assert "there is no verdict on it" in story(office, "batches/1")


def test_somebody_else_waits_still(office: Office) -> None:
    """Two wait and one leaves: nothing is given up until the other has."""
    office.left(5, "w1")
    office.event("job_wait_started", 1, "w2")
    office.state(60, "SUCCEEDED", **USED)
    office.run(70)
    assert rows(office.config, "verdict_current") == []
    office.event("job_wait_ended", 61, "w2", outcome="delivered", reason=None)
    office.run(80)
    assert (verdict(office)["verdict"], verdict(office)["orphaned_nano"]) == ("delivered", 0)


def test_a_failed_poll_is_an_error_only_if_the_job_went_well(office: Office) -> None:
    """A wait that its program called failed is no abort unless the job ended well and nobody else fetched it."""
    office.event("job_wait_started", 0)
    office.event("job_wait_ended", 5, outcome="failed", reason=None)
    office.run(60)
    assert rows(office.config, "verdict_current") == []
    office.state(70, "SUCCEEDED", **USED)
    office.run(80)
    assert (verdict(office)["reason"], verdict(office)["verdict"]) == ("error", "orphaned")


# What a cancel did ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "state", "result", "status"),
    [
        ("confirmed", "cancelled", "honoured", "cut_short"),
        ("confirmed", "ended", "honoured", "cut_short"),  # Anthropic's
        ("too_late", "succeeded", "too_late", "orphaned"),
        ("failed", None, "refused", "pending"),
        ("unconfirmed", "running", "unconfirmed", "pending"),
    ],
)
def test_what_a_client_alone_can_tell(
    office: Office, outcome: str, state: str | None, result: str, status: str
) -> None:
    """Without a log of the provider's the client's word holds; what it cost is unknown, and not zero."""
    office.left(5)
    office.cancelled(5, outcome, state)
    office.run(6)
    assert (life(office)["cancel_result"], verdict(office)["verdict"]) == (result, status)
    assert (verdict(office)["cost_nano"], verdict(office)["orphaned_nano"]) == (None, None)


def test_cancelled_turns_into_completed(office: Office) -> None:
    """A batch that was reported as cancelled and then as completed has completed after all: its money is lost."""
    office.left(5)
    office.cancelled(5, "confirmed", "cancelled")
    office.state(5.1, "CANCELLED", usage={"input_tokens": 10, "output_tokens": 20})
    office.run(10)
    assert (verdict(office)["verdict"], life(office)["cancel_result"]) == ("cut_short", "honoured")
    office.state(9, "SUCCEEDED", endTime=at(9), **USED)
    office.run(20)
    assert (verdict(office)["verdict"], verdict(office)["orphaned_nano"]) == ("orphaned", COST_NANO)
    assert (life(office)["cancel_result"], life(office)["was_cancelled"]) == ("completed_after_all", True)
    assert "It had been reported as cancelled" in story(office, "w1")
    assert net_spend(counters(office.config)) == lost_now([verdict(office)])


def test_saved_by_run_time_where_nobody_counts_requests(office: Office) -> None:
    """Five like jobs tell how long one runs; the rest of that time, at the mean cost of the time it ran, was saved."""
    for number in range(5):
        office.state(10 + number, "SUCCEEDED", f"batches/like-{number}", createTime=at(number), endTime=at(10 + number))
    office.left(24, job="batches/9", began=20)
    office.event("cancel_requested", 24, job="batches/9")
    office.state(25, "CANCELLED", "batches/9", createTime=at(20), endTime=at(24), **USED)
    office.run(60)
    text = story(office, "batches/9")
    saved = COST_NANO * 6 // 4  # it would have run ten minutes, and ran four
    assert f"Saved by the cancel: USD {saved / 10**9:g}, an estimate (by how long such jobs" in text


def test_unknown_savings_are_not_zero(office: Office) -> None:
    """No counts and no like jobs: what the cancel saved is unknown, and said to be."""
    office.left(4)
    office.cancelled(4, "confirmed", "cancelled")
    office.state(5, "CANCELLED", **USED)
    office.run(60)
    assert "Saved by the cancel: unknown" in story(office, "batches/1")


def test_a_cancel_on_request_says_nothing_about_dropped_connections(office: Office) -> None:
    """The table that measures whether backends stop for who leaves counts calls alone."""
    office.left(4)
    office.cancelled(4, "confirmed", "cancelled")
    office.state(5, "CANCELLED", **USED)
    office.run(60)
    with reading(office.config) as (connection, values):
        dialect.run(connection, "collector.ledger", "cancel_count", values)
        assert connection.table("cancel_count").fetchall() == []


def test_a_background_response_is_a_call_and_no_job(office: Office) -> None:
    """It has the two lines of a call, and its completion by the response's id; its cancel makes no second row."""
    known: Row = {"response_id": "resp_9"}
    office.started("w1", 0, job_id="resp_9", operation="chat", request_id=None, **known)
    office.ended("w1", 1, job_id="resp_9", **known)
    office.cancelled(1, "confirmed", "cancelled", "resp_9")
    office.completion("r9", 2, completion_id="cmpl-9", status="cancelled", **known)
    office.run(60)
    assert rows(office.config, "job_current") == []
    assert (verdict(office)["completion_id"], verdict(office)["verdict"]) == ("cmpl-9", "cut_short")
    assert source_counts(office.config, "app") == {"new": 4, "duplicate": 0, "problem": 0, "ignored": 0}


# Lines ------------------------------------------------------------------------------------------------------


def test_garbage_is_a_problem_each(office: Office) -> None:
    """Each bad line about a job is a problem of its own, with its place; none is lost, none taken for an event."""
    good = {"event": "cancel_requested", "call_id": "w1", "at": at(1), "job_id": "batches/1"}
    bad: list[Mapping[str, Any]] = [
        {**good, "job_id": None}, {**good, "call_id": ""}, {**good, "at": "yesterday"}, {**good, "job_id": {"a": 1}},
        {**good, "event": "cancel_ended", "cancel_outcome": "perhaps"},
        {**good, "event": "job_wait_ended", "outcome": "gone"},
        {**good, "event": "job_wait_ended", "outcome": "aborted", "reason": "mood"},
    ]  # fmt: skip
    office.put("client/a.jsonl", good, *bad, good, {**good, "at": at(2)}, {"event": "lunch", "call_id": "c"})
    office.state(1, "SUCCEEDED", usage={"input_tokens": -4})
    office.state(2, "SUCCEEDED", usage={"output_tokens": "many"})
    office.state(3, "SUCCEEDED", endTime="soon")
    office.put(JOBS_LOG, "{torn", {"insertId": "x", "timestamp": at(1), "textPayload": "a machine restarted"})
    office.run(60)
    counted = source_counts(office.config, "app")
    assert counted == {"new": 1, "duplicate": 1, "problem": len(bad) + 1, "ignored": 1}
    assert source_counts(office.config, "jobs") == {"new": 0, "duplicate": 0, "problem": 4, "ignored": 1}
    assert problems(office.config)["app", "conflicting record"] == 1
    assert problems(office.config)["app", "invalid line"] == len(bad)


def test_openai_and_anthropic_write_their_jobs_in_their_own_words(office: Office) -> None:
    """Seconds since 1970, canceled with one l, counts of requests and tokens that include the cached ones are read."""
    second = 1_795_132_800
    office.entry(9, "o", jsonPayload={
        "id": "batch_6f", "object": "batch", "status": "cancelled", "model": "acme-chat-1", "created_at": second,
        "cancelled_at": second + 300, "completed_at": None,
        "request_counts": {"total": 10, "completed": 4, "failed": 1},
        "usage": {"input_tokens": 900, "input_tokens_details": {"cached_tokens": 100}, "output_tokens": 50},
    })  # fmt: skip
    office.run(60)
    row = life(office)
    assert (row["kind"], row["status"], row["created_at_us"], row["finished_at_us"]) == (
        "batch", "cancelled", second * 10**6, (second + 300) * 10**6,
    )  # fmt: skip
    assert (row["input_tokens"], row["cached_input_tokens"], row["output_tokens"]) == (800, 100, 50)
    assert (row["requests_total"], row["requests_done"], row["requests_failed"]) == (10, 4, 1)


def test_only_what_files_inference_is_a_job(office: Office) -> None:
    """An operation that makes an endpoint is none; one that makes a video is, and its two ends meet by its id."""
    for method, name in (
        ("google.cloud.aiplatform.v1.EndpointService.CreateEndpoint", "projects/7/operations/1"),
        ("google.cloud.aiplatform.v1.PredictionService.PredictLongRunning", "projects/7/operations/2"),
    ):
        payload = {"methodName": method, "resourceName": "projects/acme/publishers/google/models/veo-3"}
        office.entry(1, f"{name} first", protoPayload=payload, operation={"id": name, "first": True})
        office.entry(5, f"{name} last", protoPayload=payload, operation={"id": name, "last": True})
    office.run(60)
    row = life(office)
    assert (row["job_key"], row["kind"], row["model"], row["status"]) == ("operations/2", "operation", "veo-3", "ok")
    assert source_counts(office.config, "jobs") == {"new": 2, "duplicate": 0, "problem": 0, "ignored": 2}


def test_fields_of_an_own_log(tmp_path: Path) -> None:
    """`fields` say where an application writes what."""
    fields = {"job_id": "jsonPayload.job", "state": "jsonPayload.phase", "output_tokens": "jsonPayload.made"}
    sources: Sequence[Row] = [*SOURCES[:-1], {**SOURCES[-1], "fields": fields}]
    office = Office(tmp_path, sources=list(sources))
    office.entry(1, "a", jsonPayload={"job": "j-1", "phase": "done", "made": 7, "model": "acme-chat-1"})
    office.run(60)
    assert (life(office)["job_id"], life(office)["status"], life(office)["output_tokens"]) == ("j-1", "ok", 7)


def test_check_tells_jobs_from_nothing(office: Office) -> None:
    """`check` counts what a source of jobs will take in as records, and says so."""
    office.state(1, "SUCCEEDED", **USED)
    office.left(5)
    said = [finding.message for finding in findings(load(office.path), now_us=0)]
    assert any("of the first 1 lines 1 are records, 0 problems, 0 ignored" in message for message in said)
    assert any("of the first 2 lines 2 are records" in message for message in said)


def test_a_plain_run_takes_no_step_about_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no line about a job was ever read, one look at an empty table is all that jobs cost a run."""
    taken: list[str] = []
    real = dialect.run

    def noted(connection: Any, package: str, name: str, values: Any = None) -> Any:
        taken.append(name)
        return real(connection, package, name, values)

    monkeypatch.setattr(dialect, "run", noted)
    desk = Desk(tmp_path)
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.completion("c1", 2)
    desk.run(60)
    assert {name for name in taken if "job" in name} == {"job_event_any"}
    office = Office(tmp_path / "other")
    office.left(5)
    office.run(60)
    assert len({name for name in taken if "job" in name}) > 10


def test_explain_prints_as_json(office: Office) -> None:
    """A job's document holds plain values alone."""
    office.left(4)
    office.cancelled(4, "confirmed", "cancelled")
    office.state(5, "CANCELLED", completionStats={"successfulCount": "3", "incompleteCount": "9"}, **USED)
    office.run(60)
    with reading(office.config) as (connection, values):
        (document,) = explained(connection, "1", values, lambda _path, _no: None)
    again = json.loads(json.dumps(document))
    assert (again["job"]["cancel_result"], again["job"]["avoided_cost"]) == ("honoured", f"{3 * COST_NANO / 10**9:g}")
    assert [event["event"] for event in again["events"]] == [
        "wait_started", "cancel_requested", "wait_ended", "cancel_ended", "state",
    ]  # fmt: skip
