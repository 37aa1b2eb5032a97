"""One request for bytes: what its headers say, and the headers that every answer to it carries."""

import json

from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.web.problems import problem

Headers = list[tuple[bytes, bytes]]

_WANTED = frozenset(
    {b"range", b"if-range", b"if-none-match", b"origin", b"authorization", b"cookie"}
)
_EXPOSED = (
    b"access-control-expose-headers",
    b"Content-Range, Content-Length, Content-Encoding, Accept-Ranges, ETag, Last-Modified",
)
_METHODS = b"GET, HEAD, OPTIONS"
_ASKED = b"Range, If-Range, If-None-Match, If-Modified-Since, Cache-Control, Authorization"
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", _METHODS),
    (b"access-control-allow-headers", _ASKED),
    (b"access-control-max-age", b"86400"),
]
_ALWAYS = (b"x-content-type-options", b"nosniff")
_OPEN: Headers = [
    (b"access-control-allow-origin", b"*"),
    _EXPOSED,
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),  # the link itself is the key
    _ALWAYS,
]
_OWN: Headers = [(b"vary", b"Origin, Cookie, Authorization"), _ALWAYS]


class Exchange:
    """One request and the way to answer it."""

    __slots__ = (
        *("begun", "extra", "gone", "head", "headers", "link", "method", "path"),
        *("raw", "receive", "scope"),
        *("_send", "_start"),
    )

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, origins: frozenset[bytes]
    ) -> None:
        """Read the request.

        Args:
            scope: The ASGI scope.
            receive: The ASGI channel of the request.
            send: The ASGI channel of the answer.
            origins: Other sites whose pages may read the answer, with their own tokens.
        """
        self.scope, self.receive, self._send = scope, receive, send
        self._start: Message | None = None
        self.begun = False
        self.gone = False
        self.method: str = scope["method"]
        self.head = self.method == "HEAD"
        path, root = scope["path"], scope.get("root_path", "")
        self.path: str = path.removeprefix(root) if root else path
        self.link: str | None = scope.get("gateway.link")
        self.raw: bytes = scope.get("raw_path") or b"%"
        self.headers = {name: value for name, value in scope["headers"] if name in _WANTED}
        self.extra = self._cross_origin(origins)

    async def preflight(self) -> None:
        """Answer OPTIONS: whether a page of another site may ask at all. Tells nothing else."""
        allowed = [*_PREFLIGHT, (b"allow", _METHODS), *self.extra]
        await self.reply(204, allowed, b"")

    async def refuse(self, status: int, error: GatewayError) -> None:
        """Answer an error, as the API words it."""
        headers: Headers = [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            *self.extra,
        ]
        if status == 401:  # noqa: PLR2004 - as HTTP numbers it
            headers.append((b"www-authenticate", b"Bearer"))
        await self.reply(status, headers, json.dumps(problem(error)).encode())

    async def refuse_method(self) -> None:
        """Answer that the bytes of a store are only read."""
        await self.reply(405, [(b"allow", _METHODS), *self.extra], b"")

    async def watch(self) -> None:
        """Wait until the asker hangs up, and remember it."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.gone = True

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer with a body that is at hand."""
        if status != 204:  # noqa: PLR2004 - which has none, and no length of it
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        self.begin(status, headers)
        await self.push({"type": "http.response.body", "body": b"" if self.head else body})

    def begin(self, status: int, headers: Headers) -> None:
        """Set status and headers; they go with the first bytes, so an error may replace them."""
        self._start = {"type": "http.response.start", "status": status, "headers": headers}

    async def push(self, message: Message) -> None:
        """Send a part of the body."""
        if self._start is not None:
            start, self._start = self._start, None
            self.begun = True
            await self._send(start)
        await self._send(message)

    def _cross_origin(self, origins: frozenset[bytes]) -> Headers:
        if self.link is not None:
            return _OPEN
        origin = self.headers.get(b"origin")
        if origin is None or origin not in origins:
            return _OWN
        return [(b"access-control-allow-origin", origin), _EXPOSED, *_OWN]
