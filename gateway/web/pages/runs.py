"""The runs a person asked for: a list, and a page of each that follows it live."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.errors import NotFoundError
from gateway.service.access.actor import Actor
from gateway.service.access.rights import require_person
from gateway.service.gateway import Gateway
from gateway.service.jobs.dispatch import start_waiting
from gateway.service.jobs.follow import describe_job, progress_of
from gateway.service.jobs.job import STATUSES, Job, JobFilter, JobStatus, list_jobs
from gateway.service.jobs.journal import Journal, size_of
from gateway.service.jobs.records import see_run
from gateway.service.jobs.requests import cancel, own_jobs, resume, see
from gateway.service.toolbox import list_tools
from gateway.toolkit.registry import get_tool
from gateway.web.pages.rendering import page
from gateway.web.rules import GatewayHere, Person

router = APIRouter(include_in_schema=False)
_PAGE = 50
Text = Annotated[str, Query(max_length=120)]


@router.get("/runs")
def runs(
    request: Request,
    gateway: GatewayHere,
    actor: Person,
    *,
    person: Text = "",
    tool: Text = "",
    status: Text = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> HTMLResponse:
    """List jobs, latest first."""
    start_waiting(gateway)
    statuses: tuple[JobStatus, ...] = tuple(item for item in STATUSES if item == status)
    wanted = JobFilter(
        person=(person or None) if actor.administrator else require_person(actor),
        tool=tool or None,
        statuses=statuses,
        limit=_PAGE + 1,
        offset=offset,
    )
    found = list_jobs(gateway, own_jobs(actor, wanted))
    shown = [describe_job(gateway, job) for job in found[:_PAGE]]
    live = any(job["status"] in ("queued", "running") for job in shown)
    values: dict[str, Any] = {
        "jobs": shown,
        "more": len(found) > _PAGE,
        "offset": offset,
        "size": _PAGE,
    }
    chosen = {"person": person, "tool": tool, "status": status}
    tools = [spec.id for spec in list_tools()] + ["ingest_volume", "ingest_tiles"]
    lists: dict[str, Any] = {"tools": tools, "statuses": STATUSES, "live": live}
    return page(request, "runs.html", actor, chosen=chosen, **lists, **values)


@router.get("/runs/{job}")
def run(
    request: Request, gateway: GatewayHere, actor: Person, job: str, part: Text = ""
) -> HTMLResponse:
    """Show a job and follow it, or a run of the catalogue that no job asked for."""
    try:
        found = see(gateway, actor, job)
    except NotFoundError:
        record = see_run(gateway, actor, job)
        again = not get_tool(record.tool).hidden if record.tool else False
        return page(request, "run_record.html", actor, run=record, again=again)
    template = "run_live.html" if part == "live" else "run.html"
    return page(request, template, actor, **_shown(gateway, actor, found))


@router.post("/runs/{job}/cancel")
def cancel_run(request: Request, gateway: GatewayHere, actor: Person, job: str) -> Response:
    """Stop a job."""
    return _back(request, cancel(gateway, actor, job))


@router.post("/runs/{job}/resume")
def resume_run(request: Request, gateway: GatewayHere, actor: Person, job: str) -> Response:
    """Go on with a job that stopped."""
    return _back(request, resume(gateway, actor, job))


def _shown(gateway: Gateway, actor: Actor, job: Job) -> dict[str, Any]:
    journal = Journal(gateway, job.id)
    # taken before the events are read: what comes in between is sent again, not lost
    place = size_of(journal.events)
    spec = get_tool(job.tool)
    files = [port for port, what in spec.inputs.items() if what.kind == "file"]
    return {
        "job": describe_job(gateway, job),
        "spec": spec,
        "progress": progress_of(gateway, job),
        "log": journal.log_tail(),
        "place": place,
        "files": files,
        "limit": gateway.settings.runs_per_person,
        "mine": job.person == actor.person,
    }


def _back(request: Request, job: Job) -> Response:
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/runs/{job.id}", status_code=303)
