"""The web service as one ASGI application: chunk bytes first, then the API and the pages."""

from dataclasses import replace
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

import gateway as package
from gateway.errors import GatewayError
from gateway.service.access.actor import NOBODY, Actor
from gateway.service.access.links import link_actor
from gateway.service.gateway import Gateway
from gateway.web.data.endpoint import DataEndpoint
from gateway.web.identity import address_of, identify
from gateway.web.pages import (
    catalogue,
    dataset,
    ingest,
    login,
    monitor,
    people,
    review,
    runs,
    viewer,
)
from gateway.web.pages import tools as tool_pages
from gateway.web.pages.rendering import FOLDER, page
from gateway.web.problems import problem, status_of
from gateway.web.routes import (
    audit,
    cutouts,
    datasets,
    jobs,
    layers,
    links,
    session,
    thumbnails,
    views,
)
from gateway.web.routes import ingest as ingest_api
from gateway.web.routes import monitor as monitor_api
from gateway.web.routes import people as people_api
from gateway.web.routes import tools as tools_api

_API = (
    session,
    people_api,
    links,
    audit,
    datasets,
    thumbnails,
    cutouts,
    views,
    tools_api,
    jobs,
    ingest_api,
    monitor_api,
    layers,
)
_PAGES = (
    login,
    catalogue,
    dataset,
    people,
    viewer,
    tool_pages,
    runs,
    ingest,
    monitor,
    review,
)


def create_app(gateway: Gateway) -> ASGIApp:
    """Return the web service of a gateway."""
    return Switch(gateway, DataEndpoint(gateway), create_routes(gateway))


def create_routes(gateway: Gateway) -> FastAPI:
    """Return the API and the pages, without the endpoint of chunk bytes."""
    app = FastAPI(
        title="Brain Gateway",
        version=package.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.gateway = gateway
    app.add_exception_handler(GatewayError, answer_error)
    for module in (*_API, *_PAGES):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    return app


def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error: JSON under `/api`, a page elsewhere."""
    if not isinstance(error, GatewayError):
        raise error
    if route_path(request.scope).startswith("/api"):
        return JSONResponse(problem(error), status_code=status_of(error))
    try:
        actor = identify(request.app.state.gateway, request)
    except GatewayError:
        actor = NOBODY
    return problem_page(request, error, actor)


def problem_page(request: Request, error: GatewayError, actor: Actor) -> Response:
    """Return the page that says what went wrong."""
    status = status_of(error)
    values = {"heading": HTTPStatus(status).phrase, "message": str(error), "code": status}
    return page(request, "problem.html", actor, status=status, **values)


def route_path(scope: Scope) -> str:
    """Return the path without what a proxy or a share link put before it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class Switch:
    """Sends each request to the endpoint of chunk bytes or to the routes.

    A path under `/s/<token>/` is the same path asked for by whoever holds a share link: the token
    is checked here, for chunk bytes by their endpoint, which remembers what it decided.
    """

    def __init__(self, gateway: Gateway, data: ASGIApp, routes: ASGIApp) -> None:
        """Switch between two applications."""
        self._gateway = gateway
        self._data = data
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = route_path(scope) if scope["type"] == "http" else ""
        if path.startswith("/data/"):
            await self._data(scope, receive, send)
        elif path.startswith("/s/"):
            await self._shared(path, scope, receive, send)
        else:
            await self._routes(scope, receive, send)

    async def _shared(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer whoever holds a share link; `root_path` ends with the link, so links keep it."""
        token, _, rest = path.removeprefix("/s/").partition("/")
        root = scope.get("root_path", "")
        inside = {**scope, "root_path": f"{root}/s/{token}"}
        if rest.startswith("data/"):
            await self._data({**inside, "gateway.link": token}, receive, send)
            return
        try:
            actor = await run_in_threadpool(link_actor, self._gateway, token)
        except GatewayError as error:
            answer = self._refusal(scope, rest, error)
        else:
            if rest:
                inside["gateway.actor"] = replace(actor, address=address_of(HTTPConnection(scope)))
                await self._routes(inside, receive, send)
                return
            start = f"{inside['root_path']}/d/{actor.link_dataset}"
            answer = RedirectResponse(start, status_code=HTTPStatus.SEE_OTHER)
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope, rest: str, error: GatewayError) -> Response:
        if rest.startswith("api/"):
            return JSONResponse(problem(error), status_code=status_of(error))
        # the page must not lie under the link that does not hold, nor repeat it
        outside = Request({**scope, "path": f"{scope.get('root_path', '')}/"})
        return problem_page(outside, error, NOBODY)
