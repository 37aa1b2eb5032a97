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
from gateway.errors import GatewayError, NotFoundError
from gateway.service.access.actor import NOBODY
from gateway.service.access.passes import path_actor
from gateway.service.gateway import Gateway
from gateway.web.data.endpoint import DataEndpoint
from gateway.web.failures import answer_failures, problem_page, route_path
from gateway.web.guarding import Guarded
from gateway.web.identity import address_of
from gateway.web.observing import Observed
from gateway.web.openapi import PROBLEMS, allow_origins, describe
from gateway.web.pages import (
    account,
    catalogue,
    dataset,
    description,
    embed,
    gpus,
    ingest,
    login,
    monitor,
    people,
    review,
    runs,
    sharing,
    viewer,
)
from gateway.web.pages import tools as tool_pages
from gateway.web.pages.rendering import FOLDER
from gateway.web.problems import problem, status_of
from gateway.web.proxied import Proxied
from gateway.web.routes import (
    audit,
    cutouts,
    datasets,
    health,
    jobs,
    layer_edits,
    layer_files,
    layer_queues,
    layers,
    leases,
    links,
    passes,
    rows,
    session,
    tables,
    thumbnails,
    views,
)
from gateway.web.routes import ingest as ingest_api
from gateway.web.routes import monitor as monitor_api
from gateway.web.routes import people as people_api
from gateway.web.routes import tools as tools_api
from gateway.web.stopping import Stopping

_FRAMING = 1_000_000
"""Of an upload beside the file itself."""
_API = (
    health,
    session,
    people_api,
    links,
    passes,
    audit,
    datasets,
    tables,
    rows,
    thumbnails,
    cutouts,
    views,
    tools_api,
    jobs,
    ingest_api,
    monitor_api,
    leases,
    layers,
    layer_edits,
    layer_queues,
    layer_files,
)
_PAGES = (
    login,
    catalogue,
    dataset,
    description,
    people,
    account,
    sharing,
    embed,  # before the viewer, whose addresses include its own
    viewer,
    tool_pages,
    runs,
    ingest,
    monitor,
    gpus,
    review,
)


def create_app(gateway: Gateway) -> ASGIApp:
    """Return the web service of a gateway."""
    settings = gateway.settings
    app: ASGIApp = Switch(gateway, DataEndpoint(gateway), Stopping(create_routes(gateway)))
    most = int(settings.upload) + _FRAMING
    parts = (("/api/uploads*", most), ("/api/layers/*/import", most))
    app = Guarded(app, base_url=settings.base_url, body=int(settings.body), larger=parts)
    app = Observed(app, log_chunks=settings.log_chunks)
    return Proxied(app, settings.base_url)


def create_routes(gateway: Gateway) -> FastAPI:
    """Return the API and the pages, without the endpoint of chunk bytes."""
    app = all_routes()
    app.state.gateway = gateway
    if gateway.settings.allowed_origins:
        allow_origins(app, gateway.settings.allowed_origins)
    return app


def all_routes() -> FastAPI:
    """Return every route, of no gateway yet: enough to describe them."""
    app = FastAPI(
        title="Brain Gateway",
        version=package.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    answer_failures(app)
    for module in _API:
        app.include_router(module.router, responses=PROBLEMS)
    for module in _PAGES:
        app.include_router(module.router)
    describe(app)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    return app


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
        if "\x00" in path:  # PostgreSQL keeps none: no name of anything has one
            error = NotFoundError("there is nothing at this address; it has a NUL character")
            answer = JSONResponse(problem(error), status_code=status_of(error))
            await answer(scope, receive, send)
            return
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
            actor = await run_in_threadpool(path_actor, self._gateway, token)
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
        return problem_page(outside, status_of(error), str(error), NOBODY)
