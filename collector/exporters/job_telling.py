"""The life of a job in words: a job's document of `explain` comes in, sentences for a person go out.

What the cancel did comes right after who left, because it decides what was paid. It reads no ledger and computes
nothing but the seconds between two instants.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

Document = dict[str, Any]

_KINDS = {"batch": "Batch", "operation": "Long-running operation"}
_LEFT = {
    "interrupt": "was interrupted (Ctrl-C, SIGINT or SIGTERM)",
    "cancelled": "was cancelled by its program",
    "timeout": "gave up at a deadline",
    "disconnect": "left, nobody knows why",
    "error": "ended in an error of its own",
    "vanished": "never said how its wait ended: its process is gone",
}
_CANCELS = {
    "honoured": "The provider stopped the job {when}: only what was done by then can be billed.",
    "too_late": "It came too late: the job had ended already, so the cancel saved nothing.",
    "completed_after_all": "The job went on all the same and completed {when}: the cancel saved nothing.",
    "refused": "The provider refused it, and the job ran on: the cancel saved nothing.",
    "unconfirmed": "No log says what came of it.",
}
_VERDICTS = {
    "orphaned": "The job ran to its end, and nobody fetched its result: all of it is lost.",
    "cut_short": "The job stopped before its end: what it had done reached nobody and is lost.",
    "delivered": "Somebody fetched the result after all: nothing is lost.",
    "failed": "The job ended in an error of its own: leaving it lost nothing.",
    "pending": "No log has shown its end yet; it is waited for.",
    "unmatched": "No log has shown its end: its cost is unknown.",
}
_EVENTS = {
    "wait_started": "began to wait for it", "cancel_requested": "asked for its cancel", "created": "it was filed",
    "looked": "somebody looked at it", "deleted": "somebody deleted it",
}  # fmt: skip


def title(document: Document) -> str:
    """What job it is."""
    job = document["job"]
    work = f"{job['model'] or 'unknown model'} at {job['provider'] or 'unknown provider'}"
    return f"{_KINDS.get(job['kind'], 'Job')} {job['job_id']} ({work})"


def outcome(document: Document) -> Iterator[str]:
    """Who waited and left, what a cancel did, and what that makes of the job."""
    job, verdict = document["job"], document["calls"][0]["verdict"]
    yield _ended(job)
    yield _waited(job)
    if job["cancel_requested_at"]:
        came = _CANCELS[job["cancel_result"]].format(when=_later(job["cancel_requested_at"], job["finished_at"]))
        yield f"A cancel was asked for at {_clock(job['cancel_requested_at'])}. {came}"
    if job["was_cancelled"]:
        yield "It had been reported as cancelled before it was reported as completed: the latest word holds."
    if verdict is None:
        yield _unjudged(job)
        return
    yield f"Verdict: {verdict['verdict']}, evidence {verdict['evidence']}."
    yield _VERDICTS[verdict["verdict"]]


def after_leaving(document: Document) -> str:
    """When the avoidable part of the cost was generated, and what it tells."""
    result = document["job"]["cancel_result"]
    if result is None:
        return "after its waiter had left; a cancel would have saved it"
    if result == "honoured":
        return "between the cancel and its effect; a quicker one would have saved it"
    return "after its waiter had left, in spite of the cancel"


def saved(document: Document) -> Iterator[str]:
    """What the cancel saved. It is an estimate whatever the cost is: nobody is billed for what was not done."""
    job, verdict = document["job"], document["calls"][0]["verdict"]
    if verdict is None or job["cancel_result"] != "honoured":
        return
    if job["avoided_cost"] is None:
        yield "Saved by the cancel: unknown, because no log says how much of the job was left."
        return
    counted = f"{job['requests_done']} of {job['requests_total']} requests were done"
    how = f"{counted}, and the rest is taken to cost as much each"
    if job["avoided_by"] == "run time":
        how = "by how long such jobs of the last 30 days ran"
    yield f"Saved by the cancel: {verdict['currency']} {job['avoided_cost']}, an estimate ({how})."


def event_words(event: Document) -> str:
    """One line of a log, as what it says of the job."""
    name, source = event["event"], event["source"]
    if name == "wait_ended":
        words = {"delivered": "its wait ended well", "failed": "its wait failed"}.get(event["outcome"])
        return f"{source}: {words or 'its wait was left'}{_reason(event)}"
    if name == "cancel_ended":
        state = f", the job was {event['state']}" if event["state"] else ""
        return f"{source}: the cancel is {(event['cancel_outcome'] or 'unknown').replace('_', ' ')}{state}"
    if name == "state":
        return f"{source}: {event['state'] or 'state unknown'}{_counts(event)}"
    return f"{source}: {_EVENTS.get(name, name)}"


def _reason(event: Document) -> str:
    return f", reason {event['reason']}" if event["reason"] else ""


def _counts(event: Document) -> str:
    if event["requests_done"] is None:
        return ""
    return f", {event['requests_done']} of {event['requests_total'] or 'unknown'} requests done"


def _ended(job: Document) -> str:
    filed = f"It was filed at {_clock(job['created_at'])}" if job["created_at"] else "Nobody logged when it was filed"
    if not job["finished_at"]:
        return f"{filed}, and no log shows its end."
    ended = f"{filed}, and it ended as {job['state'] or job['status']} at {_clock(job['finished_at'])}"
    return f"{ended}." if job["is_logged"] else f"{ended} at the latest: a client saw it then, and no log tells when."


def _waited(job: Document) -> str:
    who = job["service"] or "a client"
    if not job["waits"]:
        return f"No client's log shows a wait for it, {_looked(job)}."
    began = f"{who} waited for it from {_clock(job['started_at'])}"
    if not job["is_abort"]:
        return f"{began}."
    after = f", after {_seconds(job['started_at'], job['left_at'])}" if job["left_at"] else ""
    return f"{began}, and {_LEFT.get(job['reason'], 'left')}{after}."


def _looked(job: Document) -> str:
    if not job["looks"]:
        return "and no log shows a look at it either"
    times = "once" if job["looks"] == 1 else f"{job['looks']} times, the last time"
    return f"but it was looked at {times} at {_clock(job['last_look_at'])}"


def _unjudged(job: Document) -> str:
    if job["fetched"]:
        return "Its result was fetched: its cost is part of what was delivered."
    if job["waits"]:
        return "Somebody may be waiting for it still: there is no verdict on it, or not yet."
    return "Nothing tells that anybody gave it up: there is no verdict on it."


def _later(asked: str, ended: str | None) -> str:
    return f"{_seconds(asked, ended)} later" if ended else "later"


def _seconds(start: str, end: str) -> str:
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return f"{seconds:.1f} s"


def _clock(at: str) -> str:
    return at[:19].replace("T", " ")
