"""Objects over a network: reading by key or by range, and errors told in words of the store."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from gateway.errors import ExistsError, NotFoundError, StoreError

CLIENT: Any = {"allow_http": True, "connect_timeout": "5s", "timeout": "60s"}
RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


def public_url(url: str) -> str:
    """Return the URL without what may be secret: name, password and query. Paths stay."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def get_object(client: Any, key: str, url: str) -> bytes:
    """Return the whole content of an object."""
    with guard(key, url):
        return bytes(obstore.get(client, key).bytes())


def has_object(client: Any, key: str, url: str) -> bool:
    """Whether there is an object of exactly that key."""
    try:
        with guard(key, url):
            obstore.head(client, key)
    except NotFoundError:
        return False
    return True


def open_object(client: Any, key: str, url: str) -> BinaryIO:
    """Open an object for reading at any place; only what is read is fetched."""
    with guard(key, url):
        size = int(obstore.head(client, key)["size"])
    return cast("BinaryIO", _RangedFile(client, key, url, size))


@contextmanager
def guard(key: str, url: str) -> Iterator[None]:
    """Turn failures of the network into `NotFoundError`, `ExistsError` and `StoreError`.

    Raises:
        NotFoundError: There is no such object.
        ExistsError: The object exists and must not be replaced.
        StoreError: Anything else.
    """
    try:
        yield
    except (FileNotFoundError, BaseError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "NoSuchBucket" in str(error):
            raise StoreError(
                f"the store {url} has no such bucket; make it or mend the URL"
            ) from error
        if isinstance(error, FileNotFoundError):
            raise NotFoundError(f"there is no {key} in the store {url}") from error
        if isinstance(error, AlreadyExistsError):
            raise ExistsError(
                f"{key} already exists in the store {url}: what exists is immutable; "
                "choose another name"
            ) from error
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            raise StoreError(
                f"the store {url} refused access to {key!r}: {reason}; check the credentials "
                "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and their rights"
            ) from error
        raise StoreError(
            f"the store {url} failed at {key!r}: {reason}; check the address and the network, "
            "then run the same command to continue"
        ) from error


class _RangedFile(io.RawIOBase):
    """An object as a seekable file."""

    def __init__(self, client: Any, key: str, url: str, size: int) -> None:
        self._client, self._key, self._url = client, key, url
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        with guard(self._key, self._url):
            part = obstore.get_range(self._client, self._key, start=self._at, length=length)
        buffer[:length] = memoryview(part)
        self._at += length
        return length
