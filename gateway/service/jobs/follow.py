"""Follows a job: its state with its place in the queue, and its events as they come."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway
from gateway.service.jobs.job import Job, waiting_before
from gateway.service.jobs.journal import Journal, Line, read_documents
from gateway.service.jobs.places import place_of
from gateway.service.jobs.progress import Progress, fold
from gateway.service.jobs.requests import see


@dataclass(frozen=True, slots=True)
class Step:
    """What came since the last look."""

    lines: list[Line]
    job: dict[str, Any]
    ended: bool
    """The job has ended and everything it said was told."""


class Follower:
    """Reads what a job says, from a place on."""

    def __init__(self, gateway: Gateway, actor: Actor, job_id: str, place: int = 0) -> None:
        """Follow a job.

        Raises:
            NotFoundError: There is no such job.
            ForbiddenError: It is another person's.
        """
        self._gateway = gateway
        self._actor = actor
        self._journal = Journal(gateway, job_id)
        self._place = place
        self._id = see(gateway, actor, job_id).id

    def step(self) -> Step:
        """Return what came since the last step.

        Raises:
            GatewayError: As on opening; rights are asked each time.
        """
        # the state is read first: once it says that the job ended, no more lines will come
        job = see(self._gateway, self._actor, self._id)
        lines = list(self._journal.lines(self._place))
        if lines:
            self._place = lines[-1].place
        return Step(lines, describe_job(self._gateway, job), not job.live)


def describe_job(gateway: Gateway, job: Job) -> dict[str, Any]:
    """Return a job as JSON values, with its place in the queue."""
    position = waiting_before(gateway, job) + 1 if job.status == "queued" else None
    document = {**job.to_json(), "position": position, "resumable": job.resumable}
    document["call"]["inputs"] = {
        port: place_of(gateway, job.person, Path(value)) if value.startswith("/") else value
        for port, value in job.call.inputs.items()  # a ref never begins so, a file always does
    }
    return document


def progress_of(gateway: Gateway, job: Job) -> Progress:
    """Return how far a job is."""
    return fold(read_documents(Journal(gateway, job.id)))
