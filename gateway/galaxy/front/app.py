"""The application before Galaxy: every path is somebody's, and is passed on as theirs."""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from gateway.errors import ConflictError, ForbiddenError, SignInError
from gateway.galaxy.front.bound import GalaxySessions
from gateway.galaxy.front.headers import to_client, to_galaxy
from gateway.galaxy.front.hub import Hub, Known
from gateway.galaxy.front.names import address_of

COOKIE = "gateway-galaxy"
_BEGUN = "gateway-galaxy-begun"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_MOST = 10_000
_BEGUN_S = 600
_WAIT = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>Galaxy is starting</title><p>Galaxy is starting: {state}. This page looks again by itself.
"""


@dataclass(kw_only=True)
class Front:
    """What the application knows."""

    hub: Hub
    galaxy: str
    """Where Galaxy answers, without its prefix."""
    prefix: str
    secret: str
    domain: str
    reserved: tuple[str, ...]
    secure: bool
    """Whether browsers come by https."""
    state: Callable[[], str | None]
    """What Galaxy is doing while it does not answer yet; None once it does."""
    make_account: Callable[[str], object]
    """Sees that Galaxy knows an address; raises ConflictError where it will not."""
    accounts: set[str] = field(default_factory=set)
    """Addresses that Galaxy is known to know."""
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    sessions: dict[str, str] = field(default_factory=dict)
    """Cookie to the token of the hub."""
    begun: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Cookie to state, verifier and where the browser wanted to go."""
    galaxy_sessions: GalaxySessions = field(default_factory=GalaxySessions)
    client: httpx.AsyncClient = field(init=False)


def client_of_galaxy(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return what asks Galaxy for everybody, and so keeps nobody's cookies.

    Args:
        transport: How to reach it, where not over the network.
    """
    return httpx.AsyncClient(
        # answers of Galaxy may take long: an upload, an export
        timeout=httpx.Timeout(30, read=None, write=None),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        transport=transport,
        trust_env=False,
    )


def make_app(front: Front) -> Starlette:
    """Return the application."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        async with client_of_galaxy() as client:
            front.client = client
            yield
        await front.hub.close()

    async def back(request: Request) -> Response:
        return await _come_back(front, request)

    async def other(request: Request) -> Response:
        return await _pass_on(front, request)

    routes = [
        Route(f"{front.prefix}/oauth_callback", back, methods=["GET"]),
        Route("/{path:path}", other, methods=_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _pass_on(front: Front, request: Request) -> Response:
    raw = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("latin-1")
    if path != front.prefix and not path.startswith(f"{front.prefix}/"):
        return PlainTextResponse("Galaxy is not at this path\n", status_code=404)
    try:
        known = await _who(front, request)
        if known is None:
            return _ask_to_sign_in(front, request)
        address = address_of(
            known.name,
            administrator=known.administrator,
            domain=front.domain,
            reserved=front.reserved,
        )
        state = front.state()
        if state is not None:
            return HTMLResponse(_WAIT.format(state=escape(state)), status_code=503)
        await _ensure_account(front, address)
    except (SignInError, ConflictError) as error:
        return PlainTextResponse(f"{error}\n", status_code=503)
    except ForbiddenError as error:
        return PlainTextResponse(f"{error}\n", status_code=403)
    return await _forward(front, request, path, address)


async def _ensure_account(front: Front, address: str) -> None:
    async with front.making:
        if address not in front.accounts:
            await run_in_threadpool(front.make_account, address)
            front.accounts.add(address)


async def _forward(front: Front, request: Request, path: str, address: str) -> Response:
    query = request.scope.get("query_string", b"").decode("latin-1")
    url = f"{front.galaxy}{path}" + (f"?{query}" if query else "")
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    headers = to_galaxy(request.headers.raw, address, front.secret)
    asked = front.client.build_request(
        request.method,
        url,
        headers=front.galaxy_sessions.keep_own(headers, address),
        content=request.stream() if has_body else None,
    )
    try:
        answer = await front.client.send(asked, stream=True)
    except httpx.HTTPError as error:
        return PlainTextResponse(
            f"Galaxy does not answer ({type(error).__name__}); try again in a minute\n",
            status_code=502,
        )
    front.galaxy_sessions.learn(answer.headers.raw, address)
    given = StreamingResponse(
        answer.aiter_raw(), status_code=answer.status_code, background=BackgroundTask(answer.aclose)
    )
    given.raw_headers = to_client(answer.headers.raw)
    return given


async def _who(front: Front, request: Request) -> Known | None:
    """Return who somebody is: by their session here, or by a token of the hub."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() in ("token", "bearer") and given.strip():
        return await front.hub.who(given.strip())
    cookie = request.cookies.get(COOKIE, "")
    token = front.sessions.get(cookie)
    if token is None:
        return None
    known = await front.hub.who(token)
    if known is None:
        front.sessions.pop(cookie, None)
    return known


def _ask_to_sign_in(front: Front, request: Request) -> Response:
    wants_page = "text/html" in request.headers.get("accept", "")
    if request.method != "GET" or not wants_page:
        said = "sign in to the hub, or send a token of it: Authorization: token TOKEN"
        return JSONResponse({"err_msg": said}, status_code=401)
    url, state, verifier = front.hub.begin()
    cookie = secrets.token_urlsafe(32)
    _keep(front.begun, cookie, (state, verifier, _place(request)))
    answer = RedirectResponse(url, status_code=302)
    _set(front, answer, _BEGUN, cookie, age=_BEGUN_S)
    return answer


async def _come_back(front: Front, request: Request) -> Response:
    begun = front.begun.pop(request.cookies.get(_BEGUN, ""), None)
    given = request.query_params
    if begun is None or not hmac.compare_digest(given.get("state", "").encode(), begun[0].encode()):
        return PlainTextResponse(
            "this sign-in was not begun in this browser; begin it again\n", status_code=403
        )
    if not given.get("code"):
        return PlainTextResponse("the hub refused; begin the sign-in again\n", status_code=403)
    try:
        token = await front.hub.exchange(given["code"], begun[1])
    except SignInError as error:
        return PlainTextResponse(f"{error}\n", status_code=403)
    cookie = secrets.token_urlsafe(32)
    _keep(front.sessions, cookie, token)
    answer = RedirectResponse(begun[2], status_code=302)
    _set(front, answer, COOKIE, cookie)
    answer.delete_cookie(_BEGUN, path=f"{front.prefix}/")
    return answer


def _keep(kept: dict[str, Any], key: str, value: Any) -> None:
    while len(kept) >= _MOST:  # the oldest go; they sign in again without a word
        kept.pop(next(iter(kept)))
    kept[key] = value


def _place(request: Request) -> str:
    """Return where a browser wanted to go, on this site whatever the request says."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _set(front: Front, answer: Response, name: str, value: str, age: int | None = None) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=age,
        path=f"{front.prefix}/",
        secure=front.secure,
        httponly=True,
        samesite="lax",
    )
