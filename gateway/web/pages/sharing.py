"""Sharing a dataset, for its owners: roles of people, share links, the log."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from gateway.errors import CallError, GatewayError
from gateway.service.access.actor import Actor, Role, parse_role
from gateway.service.access.audit import AuditFilter
from gateway.service.access.grants import candidates, give_role, grants_of
from gateway.service.access.links import (
    LONGEST_LIFE,
    USUAL_LIFE,
    link_token,
    list_links,
    make_link,
    revoke_link,
)
from gateway.service.gateway import Gateway
from gateway.service.listing import summarize_dataset
from gateway.web.addresses import site_url
from gateway.web.pages.people import LOG_PAGE, log_page
from gateway.web.pages.rendering import page
from gateway.web.problems import status_of
from gateway.web.rules import GatewayHere, Owner

router = APIRouter(include_in_schema=False)
_LIVES = (1, 7, 14, 30, 90, 366)
_LARGEST_ID = 2**31 - 1
_NONE = "none"


@router.get("/d/{dataset}/share")
def sharing(request: Request, gateway: GatewayHere, actor: Owner, dataset: str) -> HTMLResponse:
    """Show with whom a dataset is shared."""
    return _sharing_page(request, gateway, actor, dataset)


@router.post("/d/{dataset}/share/roles")
def role_given(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Owner,
    dataset: str,
    subject: Annotated[str, Form(max_length=140)] = "",
    role: Annotated[str, Form(max_length=20)] = "viewer",
) -> Response:
    """Give somebody a role, or take it away."""

    def give() -> None:
        give_role(gateway, actor, dataset, subject.strip(), _role(role))

    return _tried(request, gateway, actor, dataset, give)


@router.post("/d/{dataset}/share/links")
def link_made(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Owner,
    dataset: str,
    entry: Annotated[str, Form(max_length=120)] = "",
    role: Annotated[str, Form(max_length=20)] = "viewer",
    days: Annotated[int, Form(ge=1, le=LONGEST_LIFE.days)] = USUAL_LIFE.days,
    note: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make a share link and show it."""
    try:
        life, what = timedelta(days=days), entry or None
        made = make_link(gateway, actor, dataset, what, _role(role), life=life, note=note)
    except GatewayError as error:
        return _sharing_page(request, gateway, actor, dataset, error=error)
    return _sharing_page(request, gateway, actor, dataset, shown=made[0])


@router.post("/d/{dataset}/share/links/{link}/show")
def link_shown(
    *, request: Request, gateway: GatewayHere, actor: Owner, dataset: str, link: str
) -> Response:
    """Show a share link once more."""
    return _sharing_page(request, gateway, actor, dataset, shown=link)


@router.post("/d/{dataset}/share/links/{link}/revoke")
def link_revoked(
    *, request: Request, gateway: GatewayHere, actor: Owner, dataset: str, link: str
) -> Response:
    """End a share link at once."""

    def revoke() -> None:
        revoke_link(gateway, actor, link)

    return _tried(request, gateway, actor, dataset, revoke)


@router.get("/d/{dataset}/share/log")
def log(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Owner,
    dataset: str,
    who: Annotated[str, Query(max_length=120)] = "",
    action: Annotated[str, Query(max_length=60)] = "",
    before: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None,
) -> HTMLResponse:
    """Show who did what with the dataset."""
    wanted = AuditFilter(
        who=who.strip() or None,
        action=action or None,
        dataset=dataset,
        before=before,
        limit=LOG_PAGE,
    )
    return log_page(request, gateway, actor, wanted, dataset=dataset)


def _role(name: str) -> Role:
    try:
        return Role.NONE if name == _NONE else parse_role(name)
    except ValueError as error:
        raise CallError(str(error)) from error


def _tried(
    request: Request, gateway: Gateway, actor: Actor, dataset: str, work: Callable[[], object]
) -> Response:
    """Change the sharing; show what was wrong with it in its place."""
    try:
        work()
    except GatewayError as error:
        return _sharing_page(request, gateway, actor, dataset, error=error)
    here = f"{request.scope.get('root_path', '')}/d/{dataset}/share"
    return RedirectResponse(here, status_code=303)


def _sharing_page(
    request: Request,
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    *,
    error: GatewayError | None = None,
    shown: str = "",
) -> HTMLResponse:
    url = ""
    if shown:
        url = f"{site_url(request, gateway)}/s/{link_token(gateway, actor, shown)}/"
    values: dict[str, Any] = {
        "dataset": dataset,
        "entries": [item.ref.name for item in summarize_dataset(gateway, dataset)],
        "grants": grants_of(gateway, dataset),
        "candidates": candidates(gateway),
        "links": list_links(gateway, actor, dataset),
        "roles": [role.label for role in Role if role],
        "lives": _LIVES,
        "usual": USUAL_LIFE.days,
        "problem": str(error) if error else "",
        "url": url,
    }
    answer = page(
        request, "sharing.html", actor, status=status_of(error) if error else 200, **values
    )
    if url:
        answer.headers["Cache-Control"] = "no-store"
    return answer
