"""How the providers' jobs are cancelled and asked for their state: google-genai, openai, anthropic.

In: what the SDK gave for the job (or its id), and the SDK's client. Out: a `Job`. Nothing of the SDKs is imported;
clients and jobs are told apart by what they have. With an asynchronous client the steps give awaitables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

BACKGROUND_RESPONSE = "background_response"


class Job(NamedTuple):
    """One job. `cancel()` asks the provider to stop it, `look()` what has become of it (None: cannot be asked)."""

    job_id: str
    kind: str
    provider: str | None
    model: str | None
    cancel: Callable[[], Any]
    look: Callable[[], Any] | None


def job_of(job: Any, cancel: Any, look: Callable[[Any], Any] | None) -> Job:
    """The job that `cancel`, a client or a function of the job, can cancel. TypeError if it is neither."""
    job_id = _id(job)
    for ready_made in (_google_batch, _openai_response, _openai_batch, _anthropic_batch):
        found = ready_made(job_id, cancel)
        if found is not None:
            return found._replace(model=_model(job))
    if not callable(cancel):
        raise TypeError(f"no way is known to cancel {job_id!r} with {type(cancel).__name__}: give a function")
    state = (lambda: look(job)) if look is not None else None
    return Job(job_id, "job", None, _model(job), lambda: cancel(job), state)


def state_of(answer: Any) -> str | None:
    """A job's state in one spelling (`cancelled`, `completed`, `in_progress`, ...); None where it says nothing."""
    if isinstance(answer, str):
        told: Any = answer
    elif isinstance(answer, Mapping):
        told = answer.get("state") or answer.get("status")
    else:
        named = (getattr(answer, name, None) for name in ("state", "status", "processing_status"))
        told = next(filter(None, named), None)
    told = getattr(told, "value", told)  # an enumeration's
    if not isinstance(told, str):
        return None
    word = told.lower()
    for prefix in ("job_state_", "batch_state_"):
        word = word.removeprefix(prefix)
    return word.replace("canceled", "cancelled").replace("canceling", "cancelling")


def _google_batch(job_id: str, client: Any) -> Job | None:
    """Of `genai.Client` or its `aio`. Names: batches/ID, or projects/P/locations/L/batchPredictionJobs/ID."""
    batches = getattr(client, "batches", None)
    if batches is None or not (job_id.startswith("batches/") or "/batchPredictionJobs/" in job_id):
        return None
    provider = "gcp.vertex_ai" if "/batchPredictionJobs/" in job_id else "gcp.gemini"
    return Job(job_id, "batch", provider, None, lambda: batches.cancel(name=job_id), lambda: batches.get(name=job_id))


def _openai_response(job_id: str, client: Any) -> Job | None:
    responses = getattr(client, "responses", None)
    if responses is None or not job_id.startswith("resp_"):
        return None
    return Job(
        job_id,
        BACKGROUND_RESPONSE,
        "openai",
        None,
        lambda: responses.cancel(job_id),
        lambda: responses.retrieve(job_id),
    )


def _openai_batch(job_id: str, client: Any) -> Job | None:
    batches = getattr(client, "batches", None)
    if batches is None or not job_id.startswith("batch_"):
        return None
    return Job(job_id, "batch", "openai", None, lambda: batches.cancel(job_id), lambda: batches.retrieve(job_id))


def _anthropic_batch(job_id: str, client: Any) -> Job | None:
    batches = getattr(getattr(client, "messages", None), "batches", None)
    if batches is None or not job_id.startswith("msgbatch_"):
        return None
    return Job(job_id, "batch", "anthropic", None, lambda: batches.cancel(job_id), lambda: batches.retrieve(job_id))


def _id(job: Any) -> str:
    """An id or name, whichever this SDK's jobs have."""
    if isinstance(job, str):
        return job
    for name in ("name", "id"):
        found = job.get(name) if isinstance(job, Mapping) else getattr(job, name, None)
        if isinstance(found, str) and found:
            return found
    return repr(type(job))


def _model(job: Any) -> str | None:
    found = job.get("model") if isinstance(job, Mapping) else getattr(job, "model", None)
    return found.rpartition("/")[2] if isinstance(found, str) else None
