"""One's own account: password, browsers, tokens of programs."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from gateway.errors import CallError, LimitError, SignInError
from gateway.service.access.actor import Actor
from gateway.service.access.passwords import LONGEST, SHORTEST, change_password
from gateway.service.access.people import find_person
from gateway.service.access.sessions import (
    LONGEST_TOKEN_LIFE,
    TOKEN_LIFE,
    end_browsers,
    end_one,
    list_sessions,
    make_token,
)
from gateway.service.gateway import Gateway
from gateway.web.identity import cookie_name
from gateway.web.pages.rendering import page
from gateway.web.problems import status_of
from gateway.web.rules import GatewayHere, Person

router = APIRouter(include_in_schema=False)
_LIVES = (7, 30, 90, 366)


@router.get("/account")
def account(request: Request, gateway: GatewayHere, actor: Person) -> HTMLResponse:
    """Show the account of who asks."""
    return _account_page(request, gateway, actor)


@router.post("/account/password")
def password_changed(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Person,
    before: Annotated[str, Form(max_length=2000)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    again: Annotated[str, Form(max_length=2000)] = "",
) -> HTMLResponse:
    """Change the password; other browsers are signed out."""
    if password != again:
        differ = "the two new passwords differ; type the same twice"
        return _account_page(request, gateway, actor, status=422, problem=differ)
    try:
        session = request.cookies.get(cookie_name(request))
        change_password(gateway, actor, before, password, session=session)
    except (CallError, LimitError, SignInError) as error:
        status = status_of(error)
        return _account_page(request, gateway, actor, status=status, problem=str(error))
    return _account_page(request, gateway, actor, done="The password is changed.")


@router.post("/account/tokens")
def token_made(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Person,
    note: Annotated[str, Form(max_length=200)] = "",
    days: Annotated[int, Form(ge=1, le=LONGEST_TOKEN_LIFE.days)] = TOKEN_LIFE.days,
) -> HTMLResponse:
    """Make a token and show it, this once."""
    _, secret = make_token(gateway, actor, note, timedelta(days=days))
    answer = _account_page(request, gateway, actor, token=secret)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/account/tokens/{token}/end")
def token_ended(request: Request, gateway: GatewayHere, actor: Person, token: str) -> Response:
    """End a token."""
    end_one(gateway, actor, "token", token)
    return _back(request)


@router.post("/account/sessions/{session}/end")
def session_ended(request: Request, gateway: GatewayHere, actor: Person, session: str) -> Response:
    """Sign out of one browser."""
    end_one(gateway, actor, "browser", session)
    return _back(request)


@router.post("/account/sessions/end")
def sessions_ended(request: Request, gateway: GatewayHere, actor: Person) -> Response:
    """Sign out of all browsers but this one."""
    end_browsers(gateway, str(actor.person), but=request.cookies.get(cookie_name(request)))
    return _back(request)


def _account_page(
    request: Request, gateway: Gateway, actor: Actor, *, status: int = 200, **shown: Any
) -> HTMLResponse:
    secret = request.cookies.get(cookie_name(request))
    values: dict[str, Any] = {"problem": "", "done": "", "token": ""}
    values |= {
        "person": find_person(gateway, str(actor.person)),
        "tokens": list_sessions(gateway, actor, "token"),
        "browsers": list_sessions(gateway, actor, "browser", secret),
        "lives": _LIVES,
        "usual": TOKEN_LIFE.days,
        "shortest": SHORTEST,
        "longest": LONGEST,
    }
    return page(request, "account.html", actor, status=status, **{**values, **shown})


def _back(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/account", status_code=303)
