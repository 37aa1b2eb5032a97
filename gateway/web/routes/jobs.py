"""Jobs: make, list, follow, stop, resume."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import GatewayError
from gateway.service.calls import call_from_words
from gateway.service.jobs.dispatch import start_waiting
from gateway.service.jobs.follow import Follower, describe_job, progress_of
from gateway.service.jobs.job import JobFilter, JobStatus, list_jobs
from gateway.service.jobs.journal import Journal
from gateway.service.jobs.requests import ask, cancel, own_jobs, resume, see
from gateway.web.rules import GatewayHere, Person

router = APIRouter(prefix="/api", tags=["jobs"])
_LOOK_S, _QUIET_S = 0.5, 15.0


class CallBody(BaseModel):
    """A call: which tool, on what, into what, how."""

    model_config = ConfigDict(extra="forbid")

    tool: str = Field(max_length=120)
    inputs: dict[str, str] = {}
    """Port to `DATASET/NAME`; to the path of an inbox for a port of kind file."""
    outputs: dict[str, str] = {}
    params: dict[str, Any] = {}
    workers: int | None = Field(default=None, ge=1, le=4096)
    block_voxels: tuple[int, int, int] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """How the run uses the machine."""
        return {"workers": self.workers, "block_voxels": self.block_voxels}


class Wanted(BaseModel):
    """Which jobs are wanted."""

    model_config = ConfigDict(extra="forbid")

    person: str | None = Field(default=None, max_length=120)
    tool: str | None = Field(default=None, max_length=120)
    status: list[JobStatus] = []
    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=10_000_000)

    @property
    def filter(self) -> JobFilter:
        """The same as the service takes it."""
        return JobFilter(
            person=self.person,
            tool=self.tool,
            statuses=tuple(self.status),
            limit=self.limit,
            offset=self.offset,
        )


@router.post("/jobs", status_code=201)
def make_job(gateway: GatewayHere, actor: Person, body: CallBody) -> dict[str, Any]:
    """Put a call into the queue."""
    call = call_from_words(body.tool, body.inputs, body.outputs, body.params)
    return describe_job(gateway, ask(gateway, actor, call, body.options))


@router.get("/jobs")
def get_jobs(
    gateway: GatewayHere, actor: Person, wanted: Annotated[Wanted, Query()]
) -> list[dict[str, Any]]:
    """List jobs, latest first: one's own; an administrator also gets those of others."""
    start_waiting(gateway)
    found = list_jobs(gateway, own_jobs(actor, wanted.filter))
    return [describe_job(gateway, job) for job in found]


@router.get("/jobs/{job}")
def get_job(gateway: GatewayHere, actor: Person, job: str) -> dict[str, Any]:
    """Tell all about a job: what it is to do, how far it is, how it ended."""
    found = see(gateway, actor, job)
    progress = progress_of(gateway, found).to_json()
    return {**describe_job(gateway, found), "progress": progress}


@router.get("/jobs/{job}/log", response_class=PlainTextResponse)
def get_log(gateway: GatewayHere, actor: Person, job: str) -> PlainTextResponse:
    """Return the end of a job's log."""
    found = see(gateway, actor, job)
    return PlainTextResponse(Journal(gateway, found.id).log_tail())


@router.post("/jobs/{job}/cancel")
def cancel_job(gateway: GatewayHere, actor: Person, job: str) -> dict[str, Any]:
    """Stop a job; what it has done is kept."""
    return describe_job(gateway, cancel(gateway, actor, job))


@router.post("/jobs/{job}/resume")
def resume_job(gateway: GatewayHere, actor: Person, job: str) -> dict[str, Any]:
    """Let a job that stopped go on where it stopped."""
    return describe_job(gateway, resume(gateway, actor, job))


@router.get("/jobs/{job}/events", response_class=StreamingResponse)
def follow_job(
    gateway: GatewayHere,
    actor: Person,
    job: str,
    last_event_id: Annotated[str, Header()] = "",
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> StreamingResponse:
    """Send the events of a job as they come, as server-sent events.

    A message without a name is an event of the run, and its id is where to go on: `Last-Event-ID`
    or `after`. `job` tells the state and the place in the queue when they change; `end` comes last.
    """
    place = int(last_event_id) if last_event_id.isdecimal() else after
    follower = Follower(gateway, actor, job, min(place, 2**53))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(follower), media_type="text/event-stream", headers=headers)


async def _events(follower: Follower) -> AsyncIterator[str]:
    told: dict[str, Any] = {}
    quiet = 0.0
    yield "retry: 1000\n\n"
    while True:  # a stop of the service ends the stream: see gateway.web.stopping
        try:
            step = await asyncio.to_thread(follower.step)
        except GatewayError as error:
            yield _message("problem", {"message": str(error)})
            return
        for line in step.lines:
            yield f"id: {line.place}\ndata: {line.text}\n\n"
        state = {key: value for key, value in step.job.items() if key != "seconds"}
        if state != told:
            told = state
            yield _message("job", step.job)
        if step.ended:
            yield _message("end", {"status": step.job["status"]})
            return
        quiet = 0.0 if step.lines else quiet + _LOOK_S
        if quiet >= _QUIET_S:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_LOOK_S)


def _message(name: str, document: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n"
