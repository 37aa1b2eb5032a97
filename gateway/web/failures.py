"""Answers of requests that failed: JSON under `/api`, a page elsewhere, one shape for all."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from gateway.errors import CallError, GatewayError, NotFoundError
from gateway.service.access.actor import NOBODY, Actor
from gateway.web.identity import identify
from gateway.web.pages.rendering import page
from gateway.web.problems import status_of

_JSON = ("/api", "/health", "/metrics")
_LONGEST = 100


def answer_failures(app: FastAPI) -> None:
    """Make an application answer every failure in the one shape."""
    app.add_exception_handler(GatewayError, answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_fault)


def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error of the family with its status and its message."""
    if not isinstance(error, GatewayError):
        raise error
    return _answer(request, status_of(error), type(error).__name__, str(error))


def _answer_invalid(request: Request, error: Exception) -> Response:
    """Answer values that the route does not take: name the first, and what was expected."""
    if not isinstance(error, RequestValidationError):
        raise error
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        given = repr(item.get("input"))
        shown = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}…"
        lines.append(f"{place} = {shown}: {item['msg']}")
    code = int(HTTPStatus.UNPROCESSABLE_ENTITY)
    return _answer(request, code, CallError.__name__, "; ".join(lines))


def _answer_http(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    kind, message = CallError.__name__, str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        kind, message = NotFoundError.__name__, "there is nothing at this address; look for a typo"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{request.method} is not for this address"
    answer = _answer(request, error.status_code, kind, message)
    answer.headers.update(error.headers or {})
    return answer


def _answer_fault(request: Request, error: Exception) -> Response:
    """Answer a fault of ours; what happened stands in the log, not in the answer."""
    message = f"a fault of ours ({type(error).__name__}); the log of the service says where"
    return _answer(request, int(HTTPStatus.INTERNAL_SERVER_ERROR), "GatewayError", message)


def _answer(request: Request, status: int, kind: str, message: str) -> Response:
    if route_path(request.scope).startswith(_JSON):
        body = {"error": {"type": kind, "message": message}}
        headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
        return JSONResponse(body, status_code=status, headers=headers)
    try:
        actor = identify(request.app.state.gateway, request)
    except GatewayError:
        actor = NOBODY
    return problem_page(request, status, message, actor)


def problem_page(request: Request, status: int, message: str, actor: Actor) -> Response:
    """Return the page that says what went wrong."""
    values = {"heading": HTTPStatus(status).phrase, "message": message, "code": status}
    return page(request, "problem.html", actor, status=status, **values)


def route_path(scope: Scope) -> str:
    """Return the path without what a proxy or a share link put before it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
