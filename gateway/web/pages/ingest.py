"""Ingest: choose from an inbox or upload, see what it is, have it taken into the store."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.errors import GatewayError, RefError
from gateway.service.access.actor import Actor
from gateway.service.access.rights import require_person
from gateway.service.gateway import Gateway
from gateway.service.jobs.ingesting import (
    DTYPES,
    KINDS,
    Wish,
    ask_ingest,
    look,
    read_wish,
    suggest_ref,
)
from gateway.service.jobs.places import UPLOADS, list_inboxes, list_place
from gateway.service.jobs.uploads import PIECE, clean_up, list_uploads, remove, room_of
from gateway.web.pages.rendering import page
from gateway.web.rules import GatewayHere, Person

router = APIRouter(include_in_schema=False)
Place = Annotated[str, Query(max_length=4000)]


async def sent_form(request: Request) -> dict[str, str]:
    """Return the texts of a form."""
    return {name: str(value) for name, value in (await request.form()).items()}


Sent = Annotated[dict[str, str], Depends(sent_form)]


@router.get("/ingest")
def inboxes(
    request: Request, gateway: GatewayHere, actor: Person, place: Place = ""
) -> HTMLResponse:
    """Show the inboxes and the upload area, or a folder of one."""
    person = require_person(actor)
    if place:
        folder = list_place(gateway, person, place)
        return page(request, "ingest_folder.html", actor, folder=folder, crumbs=_crumbs(place))
    clean_up(gateway)
    values = {
        "inboxes": [item for item in list_inboxes(gateway, person) if item.name != UPLOADS],
        "uploads": list_uploads(gateway, actor),
        "room": room_of(gateway, actor),
        "piece": PIECE,
    }
    return page(request, "ingest.html", actor, values=values)


@router.get("/ingest/look")
def look_at(request: Request, gateway: GatewayHere, actor: Person, place: Place) -> HTMLResponse:
    """Show what something in an inbox is, with what is missing to be said."""
    given = {key: text for key, text in request.query_params.items() if key != "place"}
    return _show(request, gateway, actor, place, read_wish(given))


@router.post("/ingest/look")
def take(
    request: Request, gateway: GatewayHere, actor: Person, place: Place, sent: Sent
) -> Response:
    """Look again with what the form says, or take it into the store."""
    wish = read_wish({key: text for key, text in sent.items() if key != "do"})
    if sent.get("do") != "run" or wish.errors:
        return _show(request, gateway, actor, place, wish)
    try:
        job = ask_ingest(gateway, actor, place, wish.values.get("ref", ""), wish.options)
    except GatewayError as error:
        name = "voxel_um" if "how large their voxels" in str(error) else ""
        wish.errors["ref" if isinstance(error, RefError) else name] = str(error)
        return _show(request, gateway, actor, place, wish)
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/runs/{job.id}", status_code=303)


@router.post("/ingest/uploads/{upload}/delete")
def delete_upload(request: Request, gateway: GatewayHere, actor: Person, upload: str) -> Response:
    """Delete an upload."""
    remove(gateway, actor, upload)
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/ingest", status_code=303)


def _show(request: Request, gateway: Gateway, actor: Actor, place: str, wish: Wish) -> HTMLResponse:
    found, problem = None, ""
    try:
        found = look(gateway, actor, place, wish.options)
        wish.values.setdefault("ref", suggest_ref(place, found))
    except GatewayError as error:
        problem = str(error)
    values: dict[str, Any] = {"found": found, "problem": problem, "wish": wish}
    lists = {"kinds": KINDS, "dtypes": DTYPES}
    status = 422 if wish.errors or problem else 200
    crumbs = _crumbs(place)
    more = {"place": place, "crumbs": crumbs, **lists}
    return page(request, "ingest_look.html", actor, status=status, **values, **more)


def _crumbs(place: str) -> list[tuple[str, str]]:
    """Return the folders that lead to a place, with their places."""
    parts = place.strip("/").split("/")
    return [(part, "/".join(parts[: number + 1])) for number, part in enumerate(parts)]
