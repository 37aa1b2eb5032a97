"""A store on a web server: read-only, and without a listing unless the server keeps an index."""

import json
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import quote, urlsplit

import obstore.store

from gateway.errors import FormatError, NotFoundError, RefError, StoreError
from gateway.volumes.keys import Listing, join_key, parse_key
from gateway.volumes.objects import CLIENT, RETRIES, Objects, public_url

INDEX = "index.json"
"""`{"folders": [...], "files": [...]}` beside what it names: a listing for web servers."""


class HttpStore:
    """Files below one URL of a web server that answers GET, HEAD and ranges."""

    def __init__(self, url: str) -> None:
        """Open `http(s)://HOST/PATH`; nothing is asked of the server yet.

        Raises:
            RefError: The URL has no host, or carries a query, fragment or password.
        """
        parts = urlsplit(url)
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise RefError(
                f"store URL {public_url(url)!r} is not understood; "
                "expected http(s)://HOST/PATH without query, fragment or password"
            )
        self._url = url.rstrip("/")
        client = obstore.store.HTTPStore.from_url(
            self._url, client_options=CLIENT, retry_config=RETRIES
        )
        self._objects = Objects(client, self._url, is_public=True)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the URL: credentials stay where they are."""
        return (HttpStore, (self._url,))

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return self._url

    @property
    def objects(self) -> Objects:
        """What it asks for objects, for those who ask without waiting."""
        return self._objects

    @property
    def writable(self) -> bool:
        """Always False."""
        return False

    def get(self, key: str) -> bytes:
        """Return the content of a file.

        Raises:
            NotFoundError: There is no such file.
            StoreError: The server failed or refused.
        """
        return self._objects.get(parse_key(key))

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading by ranges.

        Raises:
            NotFoundError: There is no such file.
        """
        return self._objects.open(parse_key(key))

    def put(self, key: str, data: bytes) -> None:  # noqa: ARG002 - the interface of stores
        """Refuse: a web server is read-only."""
        self._refuse(f"{key} cannot be written")

    def exists(self, key: str) -> bool:
        """Whether there is a file of that key; of a folder only an index can tell."""
        if key and self._objects.has(parse_key(key)):
            return True
        return self._objects.has(join_key(key, INDEX))

    def list(self, prefix: str = "") -> Listing:
        """Name what the index of a folder names.

        Raises:
            StoreError: The folder has no index.
            FormatError: The index is malformed.
        """
        key = join_key(prefix, INDEX)
        try:
            index = json.loads(self.get(key))
            return Listing(_names(index["folders"]), _names(index["files"]))
        except NotFoundError as error:
            raise StoreError(
                f"the web server {self._url} cannot list {prefix!r}: it has no {key}; "
                "name the dataset and volume in full, or open the store by its folder or bucket"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f"{key} at {self._url} is no index: {error!r}; "
                'expected {"folders": [names], "files": [names]}'
            ) from error

    def delete(self, prefix: str) -> None:
        """Refuse: a web server is read-only."""
        self._refuse(f"{prefix} cannot be deleted")

    def publish(self, staged_key: str, final_key: str) -> None:  # noqa: ARG002 - as above
        """Refuse: a web server is read-only."""
        self._refuse(f"{final_key} cannot be published")

    def kvstore(self, key: str) -> dict[str, Any]:
        """Return the TensorStore key-value store of a folder."""
        return {
            "driver": "http",
            "base_url": f"{self._url}/{quote(parse_key(key))}".rstrip("/") + "/",
        }

    def local_path(self, key: str) -> Path | None:
        """Return None: the files lie on another machine."""
        parse_key(key)
        return None

    def free_bytes(self) -> int | None:
        """Return None: nothing can be written."""

    def _refuse(self, what: str) -> NoReturn:
        raise StoreError(
            f"the store {self._url} is a web server and read-only, so {what}; "
            "write to a local folder or an s3:// store"
        )


def _names(values: Any) -> tuple[str, ...]:
    return tuple(sorted(parse_key(str(value)) for value in values))
