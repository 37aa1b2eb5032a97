"""What the OpenAPI document says beyond the routes: problems, ways to sign in, subjects."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from gateway.web.faults import CONFLICT, FAULTS, UNFIT
from gateway.web.identity import COOKIE
from gateway.web.rules import Open, Rule

_ABOUT = """\
Everything that the pages and the command line do, over HTTP.

Sign in with a token (`Authorization: Bearer …`, made under *Account*). Every error has one shape,
`{"error": {"type": …, "message": …}}`, with the message that the command line prints. A path under
`/s/<token>/` is the same path asked for by whoever holds that share link.
"""
_TAGS = {
    "service": "Whether the service works.",
    "session": "Who asks, and their tokens.",
    "people": "People, groups, and roles on datasets.",
    "links": "Share links.",
    "passes": "What a notebook shows a dataset with.",
    "audit": "Who opened, shared, changed, revoked.",
    "datasets": "Datasets and what they hold.",
    "cutouts": "Boxes of a volume as files.",
    "views": "What the viewer shows.",
    "tables": "Rows of tables, and what their columns hold.",
    "uploads": "Files on their way from a browser.",
    "tools": "Tools and what they take.",
    "jobs": "Calls that people ask for, while they run and after.",
    "ingest": "Bringing data in.",
    "monitor": "The machine, for administrators.",
    "leases": "GPUs: what is free, who holds them, who waits.",
    "layers": "Annotations and review.",
}
_JSON = "application/json"
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = ("Authorization", "Content-Type", "Accept", "If-Match", "If-None-Match", "Range")
_EXPOSED = ("ETag", "Content-Disposition", "Content-Range", "Location")


PROBLEMS = {
    **FAULTS,
    **CONFLICT,
    413: {**FAULTS[400], "description": "The body is too large."},
    **UNFIT,
    429: {**FAULTS[400], "description": "Too often, or too many at once."},
}
"""What any route may answer beside what it is for."""


def describe(app: FastAPI) -> None:
    """Make an application describe itself in full at its address of the OpenAPI document."""

    def document() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as the framework documents it


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of other sites call the API with tokens of their own, never with cookies."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin.rstrip("/") for origin in origins],
        allow_credentials=False,
        allow_methods=_METHODS.split(", "),
        allow_headers=_HEADERS,
        expose_headers=_EXPOSED,
        max_age=3600,
    )


def rules_of(dependant: Dependant) -> Iterator[Rule]:
    """Yield the rules of a route."""
    for inner in dependant.dependencies:
        if isinstance(inner.call, Rule):
            yield inner.call
        yield from rules_of(inner)


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_ABOUT,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    document.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "browser": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    for context in iter_route_contexts(app.routes):
        route, path = context.original_route, context.path_format
        if path not in document["paths"] or not isinstance(route, APIRoute):
            continue
        ways: list[dict[str, list[str]]] = [{"token": []}, {"browser": []}]
        if any(isinstance(rule, Open) for rule in rules_of(route.dependant)):
            ways.append({})
        for method in route.methods or ():
            if method.lower() in document["paths"][path]:
                operation = document["paths"][path][method.lower()]
                operation["security"] = ways
                _say_problems_are_json(operation)
    return document


def _say_problems_are_json(operation: dict[str, Any]) -> None:
    """Name the type of errors, which is that of the answer where the framework fills it in."""
    for code, response in operation["responses"].items():
        if int(code) >= HTTPStatus.BAD_REQUEST and "content" in response:
            response["content"] = {_JSON: next(iter(response["content"].values()))}
