"""One dataset: what it holds, where it came from, what was run on it."""

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from gateway.service.access.actor import Actor, Role, parse_role
from gateway.service.browse.overview import overview, runs_of, view_entry
from gateway.service.browse.provenance import trace
from gateway.service.browse.tables import parse_box_um, read_rows, summarize_table
from gateway.service.browse.thumbnails import PICTURED
from gateway.service.galaxy import (
    HISTORY,
    SENT_KINDS,
    galaxy_url,
    has_galaxy,
    send_to_galaxy,
)
from gateway.service.gateway import Gateway
from gateway.volumes.ref import Ref
from gateway.web.addresses import dataset_url, site_url
from gateway.web.pages.drawings import histogram
from gateway.web.pages.entry_facts import facts_of, line_of
from gateway.web.pages.rendering import page
from gateway.web.rules import GatewayHere, PartViewer, Viewer

router = APIRouter(include_in_schema=False)

_RUNS = 20
_ROWS = 20
_TOOL_PORTS = ("image", "labels", "points", "tiles")


@router.get("/d/{dataset}")
def dataset_page(
    request: Request, gateway: GatewayHere, actor: PartViewer, dataset: str
) -> Response:
    """Show a dataset; a share link that opens one thing of it shows that."""
    root = request.scope.get("root_path", "")
    if actor.link_entry is not None:
        address = f"{root}/d/{dataset}/entries/{actor.link_entry}"
        return RedirectResponse(address, status_code=303)
    found = overview(gateway, actor, dataset, dataset_url(request, gateway, dataset))
    origin = trace(gateway, actor, dataset, root)
    return page(
        request,
        "dataset.html",
        actor,
        found=found,
        may=may(found.role, actor),
        origin=origin,
        graph=Markup(origin.svg),  # noqa: S704 - drawn by us, every text in it escaped
        runs=runs_of(gateway, actor, dataset, _RUNS),
        pictured=PICTURED,
        ports=_TOOL_PORTS,
        line_of=line_of,
        site=site_url(request, gateway),
        galaxy=SENT_KINDS if actor.person is not None and has_galaxy(gateway) else (),
        sent=request.query_params.get("sent") == "galaxy",
        galaxy_at=galaxy_url(gateway),
        history=HISTORY,
    )


@router.post("/d/{dataset}/entries/{entry}/galaxy")
def sent_to_galaxy(
    request: Request, gateway: GatewayHere, actor: Viewer, dataset: str, entry: str
) -> Response:
    """Put the name of a thing into the person's history of Galaxy."""
    send_to_galaxy(gateway, actor, [Ref(dataset, entry)])
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/d/{dataset}?sent=galaxy", status_code=303)


@router.get("/d/{dataset}/entries/{entry}")
def entry_page(
    request: Request,
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: str,
) -> Response:
    """Show one thing of a dataset; of a table its columns, and the rows of a box."""
    ref, box = Ref(dataset, entry), request.query_params.get("box", "")
    found = overview(gateway, actor, dataset, dataset_url(request, gateway, dataset))
    view = view_entry(gateway, actor, ref)
    table = summarize_table(gateway, ref) if view.entry.kind == "points" else None
    rows = _rows(gateway, ref, box) if table else None
    return page(
        request,
        "dataset_entry.html",
        actor,
        found=found,
        may=may(found.role, actor),
        view=view,
        entry=view.entry,
        facts=facts_of(view.entry),
        pictured=PICTURED,
        ports=_TOOL_PORTS,
        table=table,
        rows=rows,
        box=box,
        histogram=histogram,
        site=site_url(request, gateway),
    )


def may(role: str, actor: Actor) -> dict[str, bool]:
    """Return what the page offers to somebody of a role."""
    held = parse_role(role)
    return {
        "edit": held >= Role.EDITOR and actor.person is not None,
        "share": held >= Role.OWNER and actor.person is not None,
        "run": actor.person is not None,
        "runs": actor.person is not None,
    }


def _rows(gateway: Gateway, ref: Ref, box: str) -> object:
    box_um = parse_box_um(box) if box.strip() else None
    return read_rows(gateway, ref, box_um=box_um, limit=_ROWS)
