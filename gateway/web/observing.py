"""Watches every request: one line in the log, and the counts that Prometheus reads."""

import logging
from http import HTTPStatus
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.logs import REQUESTS, redact
from gateway.web.metrics import count_request, count_soon

SEEN = "gateway.seen"
"""Key of the scope under which a request's route and actor are noted for the log."""
_DATA = "/data"
_NO_ROUTE = "(none)"
_FAILED = HTTPStatus.INTERNAL_SERVER_ERROR
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Observed:
    """Logs and counts what an application answers."""

    def __init__(self, app: ASGIApp, *, log_chunks: bool) -> None:
        """Wrap an application.

        Args:
            app: The application.
            log_chunks: Whether each request for chunk bytes has a line too; all are counted.
        """
        self._app = app
        self._log_chunks = log_chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status, sent = 0, 0
        seen: dict[str, str] = {}
        scope[SEEN] = seen

        async def watch(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                # a part of a file that does not pass through us tells its length instead
                sent += message.get("count") or len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            seconds = perf_counter() - started
            # what began no answer failed or was left by its client
            code = status or int(_FAILED)
            route = seen.get("route") or _route(scope)
            count = count_soon if route == _DATA else count_request
            count(scope["method"], route, code, seconds, sent)
            if route != _DATA or self._log_chunks or code >= _FAILED or code in _REFUSED:
                numbers = {"status": code, "ms": round(seconds * 1000, 1), "bytes": sent}
                _log(scope, route, seen.get("actor", "-"), numbers)


def is_bytes(scope: Scope) -> bool:
    """Whether a request asks for chunk bytes, in its own name or by a share link."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root:
        path = path.removeprefix(root)
    if path.startswith("/s/"):
        path = path[path.find("/", 3) :]
    return path.startswith(f"{_DATA}/")


def _route(scope: Scope) -> str:
    if is_bytes(scope):
        return _DATA
    route = scope.get("route")
    if route is not None:
        return str(getattr(route, "path", _NO_ROUTE))
    return "/static" if "/static/" in scope["path"] else _NO_ROUTE


def _log(scope: Scope, route: str, actor: str, numbers: dict[str, float]) -> None:
    level = logging.ERROR if numbers["status"] >= _FAILED else logging.INFO
    if REQUESTS.isEnabledFor(level):
        path = redact(scope["path"])  # the query is never logged
        facts = {"method": scope["method"], "path": path, "route": route, **numbers, "actor": actor}
        REQUESTS.log(level, "request", extra={"facts": facts})
