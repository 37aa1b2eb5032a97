"""What people ask of jobs: make one, stop it, go on with it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateway.errors import CallError, ConflictError, ForbiddenError, LimitError
from gateway.records.database import writing
from gateway.service.access.actor import Actor
from gateway.service.access.rights import require_person
from gateway.service.gateway import Gateway
from gateway.service.jobs.dispatch import ask_to_stop, start_waiting
from gateway.service.jobs.job import (
    LIVE,
    Job,
    JobFilter,
    add_job,
    change_job,
    find_job,
    list_jobs,
    new_job,
    read_job,
)
from gateway.service.jobs.journal import Journal
from gateway.service.jobs.rights import check_call, require_job
from gateway.service.runs import plan_tool
from gateway.toolkit.call import Call

_MOST_WAITING = 200


def ask(
    gateway: Gateway, actor: Actor, call: Call, options: Mapping[str, Any] | None = None
) -> Job:
    """Put a call into the queue; it starts at once where the person's limit allows.

    Args:
        gateway: The gateway.
        actor: Who asks.
        call: What for.
        options: `workers` and `block_voxels`, where the person chooses them.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: They may not see an input or make an output.
        LimitError: Too many of their jobs wait.
        GatewayError: The call cannot be planned; as `gateway.service.runs.plan_tool`.
    """
    person = require_person(actor)
    checked = check_call(gateway, actor, call, claim=False)
    job = new_job(person, checked, _checked(options or {}))
    plan_tool(gateway, checked, job.run_options(gateway))
    live = list_jobs(gateway, JobFilter(person=person, statuses=LIVE, limit=_MOST_WAITING))
    if len(live) >= _MOST_WAITING:
        raise LimitError(f"{person} has {len(live)} jobs waiting already; wait until some ended")
    check_call(gateway, actor, checked, claim=True)
    with writing(gateway.database) as connection:
        add_job(connection, job)
    Journal(gateway, job.id).say("queued")
    start_waiting(gateway)
    return read_job(gateway, job.id)


def see(gateway: Gateway, actor: Actor, job_id: str) -> Job:
    """Return a job as it is now; one whose process died is found here.

    Raises:
        NotFoundError: There is none of that id.
        ForbiddenError: It is another person's.
    """
    require_job(actor, read_job(gateway, job_id))
    start_waiting(gateway)
    return read_job(gateway, job_id)


def own_jobs(actor: Actor, wanted: JobFilter) -> JobFilter:
    """Return the filter narrowed to what the actor may list: their own, all for administrators.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: It names another person.
    """
    person = require_person(actor)
    if actor.administrator:
        return wanted
    if wanted.person not in (None, person):
        raise ForbiddenError(f"{person} may list their own jobs only, not {wanted.person}'s")
    return replace(wanted, person=person)


def cancel(gateway: Gateway, actor: Actor, job_id: str) -> Job:
    """Stop a job; what it has done is kept. One that has ended stays as it is.

    Raises:
        NotFoundError: There is none of that id.
        ForbiddenError: It is another person's.
    """
    see(gateway, actor, job_id)
    with writing(gateway.database) as connection:
        job = find_job(connection, job_id)
        if job.status == "queued":
            change_job(connection, job_id, status="cancelled", ended=datetime.now(UTC))
        elif job.status == "running":
            change_job(connection, job_id, stop=True)
    if job.status == "queued":
        Journal(gateway, job_id).say("cancelled")
    elif job.status == "running":
        ask_to_stop(job)
    return read_job(gateway, job_id)


def resume(gateway: Gateway, actor: Actor, job_id: str) -> Job:
    """Put a job that stopped into the queue again; it goes on where it stopped.

    Raises:
        NotFoundError: There is none of that id.
        ForbiddenError: It is another person's, or its inputs or outputs are closed by now.
        ConflictError: It waits, runs or is done.
    """
    job = see(gateway, actor, job_id)
    if not job.resumable:
        raise ConflictError(
            f"the job {job_id} is {job.status}; only one that failed, was cancelled or was "
            "interrupted can go on"
        )
    check_call(gateway, actor, job.call, claim=True)
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        if find_job(connection, job_id).status == job.status:
            change_job(
                connection, job_id, status="queued", asked=now, ended=None, error=None, stop=False
            )
    Journal(gateway, job_id).say("queued")
    start_waiting(gateway)
    return read_job(gateway, job_id)


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a run that a person may choose."""
    unknown = sorted(set(options) - {"workers", "block_voxels"})
    if unknown:
        raise CallError(f"a job has no option {unknown[0]!r}; it takes workers and block_voxels")
    workers, block = options.get("workers"), options.get("block_voxels")
    if workers is not None and (not isinstance(workers, int) or not 1 <= workers <= 4096):  # noqa: PLR2004
        raise CallError(f"workers is {workers!r}; expected a whole number from 1 to 4096")
    sizes = list(block) if isinstance(block, list | tuple) else []
    whole = all(isinstance(size, int) and size > 0 for size in sizes)
    if block is not None and not (len(sizes) == 3 and whole):  # noqa: PLR2004
        raise CallError(f"block_voxels is {block!r}; expected three whole numbers, e.g. [64,64,64]")
    return {"workers": workers, "block_voxels": sizes or None}
