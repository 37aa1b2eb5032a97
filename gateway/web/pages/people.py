"""People, groups and the audit log, for administrators."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.service.access.actor import Actor
from gateway.service.access.audit import AuditFilter, list_actions, read_audit
from gateway.service.access.groups import add_member, list_groups, remove_member
from gateway.service.access.login import ONCE_LIFE, make_login_link
from gateway.service.access.oauth2 import oauth2_configured
from gateway.service.access.people import add_person, change_person, find_person, list_people
from gateway.service.gateway import Gateway
from gateway.web.addresses import site_url
from gateway.web.pages.rendering import page
from gateway.web.problems import status_of
from gateway.web.rules import Administrator, GatewayHere

router = APIRouter(include_in_schema=False)
LOG_PAGE = 50
_Name = Annotated[str, Form(max_length=200)]
_Flag = Annotated[bool, Form()]
_LARGEST_ID = 2**31 - 1


@router.get("/people")
def people(request: Request, gateway: GatewayHere, actor: Administrator) -> HTMLResponse:
    """Show everybody."""
    return _people_page(request, gateway, actor)


@router.post("/people")
def person_added(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Administrator,
    name: _Name = "",
    display: _Name = "",
    administrator: _Flag = False,
    provider: Annotated[str, Form(max_length=20)] = "local",
) -> Response:
    """Add somebody; a local account gets a login link to begin with."""
    try:
        added = add_person(
            gateway,
            actor,
            name.strip(),
            display=display.strip(),
            administrator=administrator,
            provider=provider,
        )
    except GatewayError as error:
        return _people_page(request, gateway, actor, error=error, name=name, display=display)
    url = _login_url(request, gateway, actor, added.name) if added.provider == "local" else ""
    return _person_page(request, gateway, actor, added.name, url=url)


@router.get("/people/of/{name}")
def person(request: Request, gateway: GatewayHere, actor: Administrator, name: str) -> HTMLResponse:
    """Show somebody."""
    return _person_page(request, gateway, actor, name)


@router.post("/people/of/{name}")
def person_changed(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Administrator,
    name: str,
    display: _Name = "",
    administrator: _Flag = False,
    active: _Flag = False,
    provider: Annotated[str, Form(max_length=20)] = "local",
    heir: _Name = "",
) -> Response:
    """Change somebody; who is deactivated is signed out everywhere."""

    def change() -> object:
        return change_person(
            gateway,
            actor,
            name,
            display=display.strip() or name,
            administrator=administrator,
            active=active,
            provider=provider,
            heir=heir.strip() or None,
        )

    return _tried(request, gateway, actor, name, change)


@router.post("/people/of/{name}/link")
def login_link(request: Request, gateway: GatewayHere, actor: Administrator, name: str) -> Response:
    """Make a login link and show it, this once."""
    try:
        url = _login_url(request, gateway, actor, name)
    except GatewayError as error:
        return _person_page(request, gateway, actor, name, error=error)
    return _person_page(request, gateway, actor, name, url=url)


@router.post("/people/of/{name}/groups")
def group_joined(
    *, request: Request, gateway: GatewayHere, actor: Administrator, name: str, group: _Name = ""
) -> Response:
    """Put somebody into a group."""

    def join() -> None:
        add_member(gateway, actor, group.strip(), name)

    return _tried(request, gateway, actor, name, join)


@router.post("/people/of/{name}/groups/leave")
def group_left(
    *, request: Request, gateway: GatewayHere, actor: Administrator, name: str, group: _Name = ""
) -> Response:
    """Take somebody out of a group."""

    def leave() -> None:
        remove_member(gateway, actor, group, name)

    return _tried(request, gateway, actor, name, leave)


@router.get("/people/log")
def log(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Administrator,
    who: Annotated[str, Query(max_length=120)] = "",
    action: Annotated[str, Query(max_length=60)] = "",
    dataset: Annotated[str, Query(max_length=120)] = "",
    before: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None,
) -> HTMLResponse:
    """Show who did what."""
    wanted = AuditFilter(
        who=who.strip() or None,
        action=action or None,
        dataset=dataset.strip() or None,
        before=before,
        limit=LOG_PAGE,
    )
    return log_page(request, gateway, actor, wanted, dataset=None)


def log_page(
    request: Request, gateway: Gateway, actor: Actor, wanted: AuditFilter, *, dataset: str | None
) -> HTMLResponse:
    """Return a page of the log: of one dataset, or with `dataset` None of all."""
    lines = read_audit(gateway, actor, wanted)
    more = lines[-1].id if len(lines) == wanted.limit else None
    values: dict[str, Any] = {"lines": lines, "wanted": wanted, "more": more}
    return page(
        request, "log.html", actor, dataset=dataset, actions=list_actions(gateway), **values
    )


def _tried(
    request: Request, gateway: Gateway, actor: Actor, name: str, work: Callable[[], object]
) -> Response:
    """Do something with a person; show what was wrong with it beside them."""
    try:
        work()
    except GatewayError as error:
        return _person_page(request, gateway, actor, name, error=error)
    here = f"{request.scope.get('root_path', '')}/people/of/{name}"
    return RedirectResponse(here, status_code=303)


def _people_page(
    request: Request,
    gateway: Gateway,
    actor: Actor,
    *,
    error: GatewayError | None = None,
    name: str = "",
    display: str = "",
) -> HTMLResponse:
    values: dict[str, Any] = {
        "people": list_people(gateway, actor),
        "groups": list_groups(gateway, actor),
        "oauth2": oauth2_configured(gateway.settings),
        "problem": str(error) if error else "",
        "name": name,
        "display": display,
    }
    status = status_of(error) if error else 200
    return page(request, "people.html", actor, status=status, **values)


def _person_page(
    request: Request,
    gateway: Gateway,
    actor: Actor,
    name: str,
    *,
    error: GatewayError | None = None,
    url: str = "",
) -> HTMLResponse:
    found = find_person(gateway, name)
    others = [p.name for p in list_people(gateway, actor) if p.active and p.name != name]
    values: dict[str, Any] = {
        "person": found,
        "others": others,
        "groups": sorted(set(list_groups(gateway, actor)) - set(found.groups)),
        "oauth2": oauth2_configured(gateway.settings),
        "problem": str(error) if error else "",
        "url": url,
        "days": ONCE_LIFE.days,
    }
    answer = page(
        request, "person.html", actor, status=status_of(error) if error else 200, **values
    )
    if url:
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _login_url(request: Request, gateway: Gateway, actor: Actor, name: str) -> str:
    return f"{site_url(request, gateway)}/login?once={make_login_link(gateway, actor, name)}"
