"""Stores: one interface to a folder, a bucket or a web server that holds datasets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from gateway.errors import RefError, StoreError
from gateway.volumes.http_store import HttpStore
from gateway.volumes.keys import Listing
from gateway.volumes.local_store import LocalStore
from gateway.volumes.s3_store import S3Store


@runtime_checkable
class Store(Protocol):
    """A root URL that holds datasets.

    Keys are '/'-separated and relative; one that would leave the store is refused with
    `RefError`. A failure of the storage is a `StoreError` that says what to do.
    """

    @property
    def url(self) -> str:
        """The root, as `open_store` takes it again."""
        ...

    @property
    def writable(self) -> bool:
        """Whether `put`, `delete` and `publish` can work."""
        ...

    def get(self, key: str) -> bytes:
        """Return the content of a file; `NotFoundError` where there is none."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading at any place, without fetching all of it."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write a file whole: readers see the old content or the new, never a part."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is a file or folder of that key."""
        ...

    def list(self, prefix: str = "") -> Listing:
        """Name the folders and files directly inside a folder; empty where there is none."""
        ...

    def delete(self, prefix: str) -> None:
        """Remove a file or a whole folder; nothing happens where there is none."""
        ...

    def publish(self, staged_key: str, final_key: str) -> None:
        """Make a staged file or folder appear under its final key; `ExistsError` if taken."""
        ...

    def kvstore(self, key: str) -> dict[str, Any]:
        """Return the TensorStore key-value store of a folder."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Return where the key lies on this machine, or None for a remote store."""
        ...

    def free_bytes(self) -> int | None:
        """Return the free space in bytes, or None where that has no meaning."""
        ...


def open_store(url: str | Path, *, create: bool = False) -> Store:
    """Open the store at a folder, `file://`, `s3://` or `http(s)://` URL.

    Args:
        url: The root of the store.
        create: Make a local folder that is not there yet.

    Raises:
        NotFoundError: The folder does not exist.
        StoreError: The folder cannot be made.
        RefError: The URL has a scheme that no store serves.
    """
    scheme, separator, _ = str(url).partition("://")
    if not separator:
        return _open_local(Path(url), create=create)
    if scheme == "file":
        return _open_local(Path(unquote(urlsplit(str(url)).path)), create=create)
    if scheme in _REMOTE:
        return _REMOTE[scheme](str(url))
    known = ", ".join(f"{name}://" for name in ("file", *_REMOTE))
    raise RefError(f"no store serves {url!r}: scheme {scheme!r}; expected a folder or {known}")


_REMOTE: dict[str, Callable[[str], Store]] = {
    "s3": S3Store,
    "http": HttpStore,
    "https": HttpStore,
}


def _open_local(root: Path, *, create: bool) -> LocalStore:
    if create:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the store folder {root} cannot be made: {error.strerror or error}; "
                "choose a folder that you may write"
            ) from error
    return LocalStore(root)
