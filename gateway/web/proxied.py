"""Where a request was sent to: behind a proxy, the base URL says so, and nothing else does."""

from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send


class Proxied:
    """Gives every request the scheme and the path prefix of the base URL.

    A proxy may hand on `/lab/api/me` as it is or as `/api/me`; both are the same request.
    """

    def __init__(self, app: ASGIApp, base_url: str | None) -> None:
        """Wrap an application.

        Args:
            app: The application.
            base_url: What people type; None where there is no proxy.
        """
        parts = urlsplit(base_url or "")
        self._app = app
        self._scheme = parts.scheme
        self._root = unquote(parts.path).rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            if self._scheme:
                scope["scheme"] = self._scheme
            if self._root:
                path = scope["path"]
                if path != self._root and not path.startswith(f"{self._root}/"):
                    scope["path"] = f"{self._root}{path}"
                scope["root_path"] = self._root
        await self._app(scope, receive, send)
