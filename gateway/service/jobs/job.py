"""A job: a person's wish to have a call run. Data only, and its row in the database."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Row, func, insert, select, update

from gateway.errors import NotFoundError
from gateway.records.database import reading
from gateway.records.work_tables import JobRow
from gateway.run.plan import RunOptions
from gateway.service.gateway import Gateway
from gateway.service.runs import run_options
from gateway.toolkit.call import Call

JobStatus = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
STATUSES: tuple[JobStatus, ...] = (
    "queued",
    "running",
    "done",
    "failed",
    "cancelled",
    "interrupted",
)
LIVE: tuple[JobStatus, ...] = ("queued", "running")
STOPPED: tuple[JobStatus, ...] = ("failed", "cancelled", "interrupted")
"""A job that ended so can go on: running the same call again resumes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A call that a person asked for, and what became of it."""

    id: str
    person: str
    call: Call
    options: Mapping[str, Any]
    """Workers and block, where the person chose them."""
    status: JobStatus
    asked: datetime
    made: datetime
    started: datetime | None = None
    ended: datetime | None = None
    host: str | None = None
    pid: int | None = None
    pid_started: float | None = None
    beat: datetime | None = None
    stop: bool = False
    run: str | None = None
    error: str | None = None

    @property
    def tool(self) -> str:
        """Id of the tool."""
        return self.call.tool

    @property
    def live(self) -> bool:
        """Whether it waits or runs."""
        return self.status in LIVE

    @property
    def resumable(self) -> bool:
        """Whether it can go on."""
        return self.status in STOPPED

    @property
    def seconds(self) -> float | None:
        """How long it has run, or ran the last time."""
        if self.started is None:
            return None
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds()

    def run_options(self, gateway: Gateway) -> RunOptions:
        """Return how its run uses the machine."""
        block = self.options.get("block_voxels")
        return run_options(
            gateway,
            tool=self.call.tool,
            workers=self.options.get("workers"),
            block_voxels=cast("Any", tuple(block)) if block else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the job as JSON values; where it runs is for administrators, not told here."""
        times = {
            name: moment.isoformat() if moment else None
            for name, moment in (
                ("made", self.made),
                ("asked", self.asked),
                ("started", self.started),
                ("ended", self.ended),
            )
        }
        return {
            "id": self.id,
            "person": self.person,
            "tool": self.tool,
            "call": self.call.to_json(),
            "options": dict(self.options),
            "status": self.status,
            "stopping": self.stop and self.status == "running",
            **times,
            "seconds": self.seconds,
            "run": self.run,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are wanted; None means any."""

    person: str | None = None
    tool: str | None = None
    statuses: tuple[JobStatus, ...] = field(default=())
    limit: int = 50
    offset: int = 0


def new_job(person: str, call: Call, options: Mapping[str, Any]) -> Job:
    """Return a job that waits for its turn."""
    now = datetime.now(UTC)
    return Job(
        id=f"j{now:%y%m%d}-{secrets.token_hex(6)}",
        person=person,
        call=call,
        options={key: value for key, value in options.items() if value is not None},
        status="queued",
        asked=now,
        made=now,
    )


def add_job(connection: Connection, job: Job) -> None:
    """Write a new job."""
    connection.execute(
        insert(JobRow).values(
            id=job.id,
            person=job.person,
            tool=job.tool,
            call=job.call.to_json(),
            options=dict(job.options),
            status=job.status,
            asked=job.asked,
            made=job.made,
            stop=False,
        )
    )


def change_job(connection: Connection, job_id: str, **values: Any) -> None:
    """Change fields of a job."""
    connection.execute(update(JobRow).where(JobRow.id == job_id).values(**values))


def find_job(connection: Connection, job_id: str) -> Job:
    """Return a job.

    Raises:
        NotFoundError: There is none of that id.
    """
    row = connection.execute(select(JobRow.__table__).where(JobRow.id == job_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no job {job_id!r}; /runs lists yours")
    return job_of(row)


def read_job(gateway: Gateway, job_id: str) -> Job:
    """Return a job.

    Raises:
        NotFoundError: There is none of that id.
    """
    with reading(gateway.database) as connection:
        return find_job(connection, job_id)


def list_jobs(gateway: Gateway, wanted: JobFilter) -> list[Job]:
    """Return jobs, latest first."""
    statement = select(JobRow.__table__).order_by(JobRow.made.desc(), JobRow.id)
    if wanted.person is not None:
        statement = statement.where(JobRow.person == wanted.person)
    if wanted.tool is not None:
        statement = statement.where(JobRow.tool == wanted.tool)
    if wanted.statuses:
        statement = statement.where(JobRow.status.in_(wanted.statuses))
    statement = statement.limit(wanted.limit).offset(wanted.offset)
    with reading(gateway.database) as connection:
        return [job_of(row) for row in connection.execute(statement)]


def waiting_before(gateway: Gateway, job: Job) -> int:
    """Return how many jobs of the same person must end or start before a queued one does."""
    ahead = select(func.count()).where(
        JobRow.person == job.person, JobRow.status == "queued", JobRow.asked < job.asked
    )
    with reading(gateway.database) as connection:
        return connection.scalar(ahead) or 0


def job_of(row: Row[Any]) -> Job:
    """Return the job of a row."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    values.pop("tool")
    return Job(**{**values, "call": Call.from_json(values["call"])})
