"""Signing in and out."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from gateway.errors import ForbiddenError, GatewayError, LimitError, NotFoundError, SignInError
from gateway.service.access.actor import Actor
from gateway.service.access.hub_asking import hub_configured
from gateway.service.access.keys import signer, unsign
from gateway.service.access.login import (
    Came,
    providers,
    sign_in,
    sign_in_by_key,
    sign_in_once,
    who_of_login_link,
)
from gateway.service.access.providers import IdentityProvider
from gateway.service.access.sessions import BROWSER_LIFE, end_session
from gateway.service.gateway import Gateway
from gateway.web.addresses import site_url
from gateway.web.identity import address_of, cookie_name, refuse_other_sites
from gateway.web.pages.rendering import page
from gateway.web.problems import status_of
from gateway.web.rules import Anyone, GatewayHere

router = APIRouter(include_in_schema=False)
_SEE_OTHER = 303
_BEGUN = "gateway_sign_in"
_BEGUN_LIFE_S = 600
_ONCE = "gateway_login_link"
_LONGEST_BROWSER = 120
# those that pretend to be others come before them
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A sign-in that was begun in this browser."""

    provider: str
    remember: dict[str, str]
    after: str


@router.get("/login")
def login(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Anyone,
    key: str = "",
    once: str = "",
    after: Annotated[str, Query(alias="next")] = "",
) -> Response:
    """Sign in by a link, or show how."""
    _refuse_links(actor)
    if once:
        # the key leaves the address at once; a button uses it, which no preview of mail presses
        answer = _redirect(request, "/login/once")
        _keep(request, answer, _ONCE, once)
        return answer
    if key:
        return _signed_in(request, sign_in_by_key(gateway, key, _came(request)), after)
    if hub_configured(gateway.settings):
        query = urlencode({"next": _inside(after)})
        return _redirect(request, f"/login/with/hub?{query}")
    return _sign_in_page(request, gateway, actor, after=after)


@router.post("/login")
def login_by_form(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Anyone,
    name: Annotated[str, Form(max_length=500)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    after: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """Sign in by name and password."""
    _refuse_links(actor)
    refuse_other_sites(gateway, request)
    provider = providers(gateway).get("local")
    if provider is None:
        raise ForbiddenError("people sign in through the hub here; open its sign-in page")
    answer = {"name": name, "password": password}
    try:
        secret = sign_in(gateway, provider, answer, {}, back="", came=_came(request))
    except (SignInError, LimitError) as error:
        return _sign_in_page(request, gateway, actor, after=after, name=name, error=error)
    return _signed_in(request, secret, after)


@router.get("/login/with/{provider}")
def login_elsewhere(
    request: Request, gateway: GatewayHere, actor: Anyone, provider: str
) -> Response:
    """Send the browser to an identity provider."""
    _refuse_links(actor)
    chosen = _provider(gateway, provider)
    start = chosen.start(_back(request, gateway, provider))
    begun = {"provider": provider, "remember": start.remember}
    begun["after"] = request.query_params.get("next", "")
    answer = RedirectResponse(start.url, status_code=_SEE_OTHER)
    _keep(request, answer, _BEGUN, str(signer(gateway, _BEGUN).dumps(begun)))
    return answer


@router.get("/login/back/{provider}")
def login_back(request: Request, gateway: GatewayHere, actor: Anyone, provider: str) -> Response:
    """Take what the identity provider answered."""
    _refuse_links(actor)
    chosen = _provider(gateway, provider)
    after = ""
    try:
        begun = _read_begun(gateway, request, provider)
        after = begun.after
        answer = dict(request.query_params)
        back = _back(request, gateway, provider)
        came = _came(request)
        secret = sign_in(gateway, chosen, answer, begun.remember, back=back, came=came)
    except (SignInError, LimitError) as error:
        shown: Response = _sign_in_page(request, gateway, actor, after=after, error=error)
    else:
        shown = _signed_in(request, secret, after)
    shown.delete_cookie(_BEGUN, path=_login_path(request))
    return shown


@router.get("/login/once")
def login_once_page(request: Request, gateway: GatewayHere, actor: Anyone) -> HTMLResponse:
    """Ask whether to use the login link now."""
    _refuse_links(actor)
    person = who_of_login_link(gateway, request.cookies.get(_ONCE, ""))
    return page(request, "login_once.html", actor, person=person)


@router.post("/login/once")
def login_once(request: Request, gateway: GatewayHere, actor: Anyone) -> Response:
    """Use the login link."""
    _refuse_links(actor)
    refuse_other_sites(gateway, request)
    secret = sign_in_once(gateway, request.cookies.get(_ONCE, ""), _came(request))
    answer = _signed_in(request, secret, "/account")
    answer.delete_cookie(_ONCE, path=_login_path(request))
    return answer


@router.post("/logout")
def logout(request: Request, gateway: GatewayHere, actor: Anyone) -> Response:
    """End the session."""
    _refuse_links(actor)
    if secret := request.cookies.get(cookie_name(request)):
        end_session(gateway, secret)
    answer = _redirect(request, "/")
    if hub := gateway.settings.hub_url:  # or the next page would sign in again by itself
        answer = RedirectResponse(f"{hub}logout", status_code=_SEE_OTHER)
    answer.delete_cookie(cookie_name(request), path=_root(request) or "/")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def set_session(request: Request, answer: Response, secret: str) -> None:
    """Give the browser its session, out of reach of scripts and of other sites."""
    answer.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(BROWSER_LIFE.total_seconds()),
        path=_root(request) or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _sign_in_page(
    request: Request,
    gateway: Gateway,
    actor: Actor,
    *,
    after: str,
    name: str = "",
    error: GatewayError | None = None,
) -> HTMLResponse:
    others = [p for p in providers(gateway).values() if not p.fields]
    message = str(error) if error else ""
    values: dict[str, Any] = {"others": others, "after": after, "name": name, "message": message}
    status = status_of(error) if error else 200
    return page(request, "login.html", actor, status=status, **values)


def _signed_in(request: Request, secret: str, after: str) -> Response:
    answer = _redirect(request, _inside(after))
    set_session(request, answer, secret)
    return answer


def _inside(after: str) -> str:
    """Return a path of this site; whatever else was asked for becomes its first page."""
    parts = urlsplit(after)
    odd = any(c in after for c in "\\\r\n\t\x00") or parts.scheme or parts.netloc
    return "/" if odd or not after.startswith("/") or after.startswith("//") else after


def _redirect(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(f"{_root(request)}{path}", status_code=_SEE_OTHER)


def _keep(request: Request, answer: Response, name: str, value: str) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=_BEGUN_LIFE_S,
        path=_login_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _read_begun(gateway: Gateway, request: Request, provider: str) -> _Begun:
    begun = unsign(gateway, _BEGUN, request.cookies.get(_BEGUN, ""), _BEGUN_LIFE_S)
    if begun["provider"] != provider:
        raise SignInError("this sign-in was begun in another way; begin it again")
    return _Begun(**begun)


def _provider(gateway: Gateway, name: str) -> IdentityProvider:
    found = providers(gateway).get(name)
    if found is None or found.fields:
        raise NotFoundError(f"nobody is signed in by {name[:40]!r} here")
    return found


def _back(request: Request, gateway: Gateway, provider: str) -> str:
    return f"{site_url(request, gateway)}/login/back/{provider}"


def _came(request: Request) -> Came:
    agent = request.headers.get("user-agent", "")
    return Came(address=address_of(request), browser=_browser(agent))


def _browser(agent: str) -> str:
    """Return what people call a browser and its machine: `Firefox on Windows`."""
    name = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in agent), "")
    return f"{name} on {system}" if name and system else agent[:_LONGEST_BROWSER]


def _refuse_links(actor: Actor) -> None:
    if actor.link is not None:
        raise ForbiddenError(
            "a share link does not sign in; open this gateway without the link to do so"
        )


def _login_path(request: Request) -> str:
    return f"{_root(request)}/login"


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root
