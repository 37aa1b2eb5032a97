"""The web service as one ASGI application: chunk bytes first, then the API and the pages."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

import gateway as package
from gateway.errors import GatewayError
from gateway.service.access.actor import NOBODY
from gateway.service.gateway import Gateway
from gateway.web.data.endpoint import DataEndpoint
from gateway.web.identity import identify
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
from gateway.web.routes import audit, cutouts, datasets, jobs, layers, links, session, views
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
    return Switch(DataEndpoint(gateway), create_routes(gateway))


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
    status = status_of(error)
    if not isinstance(error, GatewayError):
        raise error
    if request.url.path.removeprefix(request.scope.get("root_path", "")).startswith("/api"):
        return JSONResponse(problem(error), status_code=status)
    try:
        actor = identify(request.app.state.gateway, request)
    except GatewayError:
        actor = NOBODY
    heading = HTTPStatus(status).phrase
    values = {"heading": heading, "message": str(error), "code": status}
    return page(request, "problem.html", actor, status=status, **values)


class Switch:
    """Sends each request to the endpoint of chunk bytes or to the routes.

    A path under `/s/<token>/` is the same path asked for by whoever holds a share link.
    """

    def __init__(self, data: ASGIApp, routes: ASGIApp) -> None:
        """Switch between two applications."""
        self._data = data
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        inner = scope["path"] if scope["type"] == "http" else ""
        app = self._data if inner.startswith("/data/") else self._routes
        await app(scope, receive, send)
