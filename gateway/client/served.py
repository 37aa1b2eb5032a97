"""A gateway's bytes as a store: its volumes open as if they lay here."""

from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import quote

from gateway.client.http import Http
from gateway.errors import NotFoundError, StoreError
from gateway.volumes.keys import Listing, parse_key


class ServedStore:
    """What a gateway serves under `/data`, read with a token or by a share link."""

    def __init__(self, http: Http) -> None:
        """Read by a connection; nothing is asked yet."""
        self._http = http

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the token, for workers of one's own that read in one's name."""
        return (_reopen, (self._http.url, self._http.token))

    @property
    def url(self) -> str:
        """Where it is, without what only the holder of a share link knows."""
        return f"{self._http.where}/data"

    @property
    def writable(self) -> bool:
        """Always False."""
        return False

    def get(self, key: str) -> bytes:
        """Return the content of a file.

        Raises:
            NotFoundError: There is no such file.
            GatewayError: The gateway refused or failed.
        """
        return self._http.get_bytes(f"/data/{quote(parse_key(key))}")

    def exists(self, key: str) -> bool:
        """Whether there is a file of that key."""
        try:
            self._http.send("HEAD", f"/data/{quote(parse_key(key))}")
        except (NotFoundError, StoreError):  # the answer to HEAD has no body to say more
            return False
        return True

    def kvstore(self, key: str) -> dict[str, Any]:
        """Return the TensorStore key-value store of a folder, with the token in its headers."""
        token = self._http.token
        headers = {"headers": [f"Authorization: Bearer {token}"]} if token else {}
        base = f"{self._http.url}/data/{quote(parse_key(key))}".rstrip("/")
        return {"driver": "http", "base_url": f"{base}/", **headers}

    def local_path(self, key: str) -> Path | None:
        """Return None: the files lie on another machine."""
        parse_key(key)
        return None

    def free_bytes(self) -> int | None:
        """Return None: nothing can be written."""

    def open(self, key: str) -> BinaryIO:
        """Refuse: tables come as rows."""
        self._refuse(f"{key} is not served as a file")

    def list(self, prefix: str = "") -> Listing:
        """Refuse: the API lists."""
        self._refuse(f"{prefix or 'it'} cannot be listed as files; use session.dataset(NAME)")

    def put(self, key: str, data: bytes) -> None:  # noqa: ARG002 - the interface of stores
        """Refuse: what is served is read-only."""
        self._refuse(f"{key} cannot be written")

    def delete(self, prefix: str) -> None:
        """Refuse: what is served is read-only."""
        self._refuse(f"{prefix} cannot be deleted")

    def publish(self, staged_key: str, final_key: str) -> None:  # noqa: ARG002 - as above
        """Refuse: what is served is read-only."""
        self._refuse(f"{final_key} cannot be published")

    def _refuse(self, what: str) -> NoReturn:
        raise StoreError(f"the gateway {self.url} is read over HTTP, and {what}")


def _reopen(url: str, token: str | None) -> ServedStore:
    return ServedStore(Http(url, token))
