"""The HTTP connection to a gateway: its errors come back as the errors they were."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway import errors
from gateway.errors import GatewayError, RefError, SettingsError, StoreError

_PATIENCE_S = 60.0
_FAULT = 400


class Http:
    """Requests to one gateway, as one person or by one share link."""

    def __init__(self, url: str, token: str | None) -> None:
        """Prepare the connection; nothing is asked yet.

        Raises:
            RefError: The URL is none of a gateway.
            SettingsError: The library for HTTP is not installed.
        """
        try:
            import httpx  # noqa: PLC0415 - of an extra
        except ImportError as error:
            raise SettingsError(
                "the client needs httpx; add it with `pip install brain-gateway[client]`"
            ) from error
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise RefError(
                f"{url[:80]!r} is no address of a gateway; expected https://HOST, or a share link"
            )
        self.url = url.rstrip("/")
        self.token = token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._failed = httpx.HTTPError
        self._client = httpx.Client(headers=headers, timeout=_PATIENCE_S)

    @property
    def where(self) -> str:
        """The address without what only the holder of a share link knows."""
        return self.url.partition("/s/")[0]

    @property
    def link(self) -> str | None:
        """The path of the share link, `/s/TOKEN/`, where it is one; secret as the link is."""
        _, found, token = self.url.partition("/s/")
        return f"/s/{token}/" if found else None

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a GET."""
        return self.send("GET", path, query=query).json()

    def get_bytes(self, path: str, query: Mapping[str, Any] | None = None) -> bytes:
        """Return the content of a GET."""
        content: bytes = self.send("GET", path, query=query).content
        return content

    def post(self, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a POST."""
        return self.send("POST", path, body=body, query=query).json()

    def send(
        self, method: str, path: str, *, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the answer to a request.

        Raises:
            GatewayError: What the gateway said, as the class that it was there.
            StoreError: The gateway cannot be reached.
        """
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            answer = self._client.request(
                method, f"{self.url}{path}", json=body, params=wanted or None
            )
        except self._failed as error:
            raise StoreError(
                f"the gateway at {self.where} cannot be reached: {type(error).__name__} {error}; "
                "check the address, and that it runs"
            ) from error
        if answer.status_code >= _FAULT:
            raise self._error(answer)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _error(self, answer: Any) -> GatewayError:
        try:
            said = answer.json()["error"]
            kind, message = getattr(errors, said["type"], GatewayError), str(said["message"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return StoreError(
                f"{self.where} answered {answer.status_code} {answer.reason_phrase}, not as a "
                "gateway does; check the address"
            )
        if not (isinstance(kind, type) and issubclass(kind, GatewayError)):
            kind = GatewayError
        return kind(message)
