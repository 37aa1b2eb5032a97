"""Headers that keep a page to itself, and the largest body that is taken."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import LimitError
from gateway.web.observing import is_bytes
from gateway.web.problems import problem

CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'self'; base-uri 'none'"
)
_ALWAYS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY,
    "x-content-type-options": "nosniff",
    # our own forms must say where they come from; other sites are told nothing
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "private, no-cache",
}
_YEAR_S = 31_536_000
_TOO_LARGE = 413


class Guarded:
    """Adds the headers of security to every answer and bounds the body of every request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        base_url: str | None,
        body: int,
        larger: Sequence[tuple[str, int]] = (),
    ) -> None:
        """Wrap an application.

        Args:
            app: The application; a header it sets itself stands.
            base_url: What people type; `https` promises that it stays so.
            body: Largest body, in bytes.
            larger: Patterns of paths with another limit, such as `/api/uploads*`.
        """
        self._app = app
        self._headers = dict(_ALWAYS)
        if urlsplit(base_url or "").scheme == "https":
            self._headers["strict-transport-security"] = f"max-age={_YEAR_S}"
        self._body = body
        self._larger = tuple(larger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or is_bytes(scope):  # whose endpoint has headers of its own
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        shared = path.startswith("/s/")

        async def guard(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if shared:  # the path itself is the key
                    headers["referrer-policy"] = "no-referrer"
            await send(message)

        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, guard)
            return
        limit = next((n for like, n in self._larger if fnmatchcase(path, like)), self._body)
        length = _declared_length(scope)
        if length is not None and length > limit:
            await _refuse(limit)(scope, receive, guard)
            return
        await _Bounded(receive, limit).run(self._app, scope, guard)


def _declared_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


class _Bounded:
    """Counts a body whose length was not declared; one that is too long ends like a lost client.

    What the application then answers, to a body cut short, is not told.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit, self._left = receive, limit, limit
        self._over = self._begun = False

    async def run(self, app: ASGIApp, scope: Scope, send: Send) -> None:
        try:
            await app(scope, self._hear, partial(self._tell, send))
        except ClientDisconnect:
            if not self._over:
                raise
        if self._over and not self._begun:
            await _refuse(self._limit)(scope, self._receive, send)

    async def _hear(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        self._over = self._over or self._left < 0
        return {"type": "http.disconnect"} if self._over else message

    async def _tell(self, send: Send, message: Message) -> None:
        if self._over and not self._begun:
            return
        self._begun = True
        await send(message)


def _refuse(limit: int) -> ASGIApp:
    error = LimitError(
        f"the body of a request may have {limit} bytes at most; "
        "send less, or upload a file in parts"
    )
    return JSONResponse(problem(error), status_code=_TOO_LARGE)
