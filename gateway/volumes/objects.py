"""Objects over a network: reading by key or by range, and errors told in words of the store."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from gateway.errors import ExistsError, GatewayError, NotFoundError, StoreError

CLIENT: Any = {"allow_http": True, "connect_timeout": "5s", "timeout": "60s"}
RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


def public_url(url: str) -> str:
    """Return the URL without what may be secret: name, password and query. Paths stay."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Objects:
    """What a server keeps below one URL, asked by an obstore client."""

    client: Any
    url: str
    is_public: bool = False
    """Asked without credentials: such servers answer 403 for what does not exist, too."""

    def get(self, key: str) -> bytes:
        """Return the whole content of an object."""
        with self.guard(key):
            return bytes(obstore.get(self.client, key).bytes())

    def has(self, key: str) -> bool:
        """Whether there is an object of exactly that key."""
        try:
            with self.guard(key):
                obstore.head(self.client, key)
        except NotFoundError:
            return False
        return True

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading at any place; only what is read is fetched."""
        with self.guard(key):
            size = int(obstore.head(self.client, key)["size"])
        return cast("BinaryIO", _RangedFile(self, key, size))

    @contextmanager
    def guard(self, key: str) -> Iterator[None]:
        """Turn failures of the network into `NotFoundError`, `ExistsError` and `StoreError`.

        Raises:
            NotFoundError: There is no such object.
            ExistsError: The object exists and must not be replaced.
            StoreError: Anything else.
        """
        try:
            yield
        except (FileNotFoundError, BaseError) as error:
            raise self._explain(key, error) from error

    def _explain(self, key: str, error: Exception) -> GatewayError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "NoSuchBucket" in str(error):
            return StoreError(f"the store {self.url} has no such bucket; make it or mend the URL")
        if isinstance(error, FileNotFoundError):
            return NotFoundError(f"there is no {key} in the store {self.url}")
        if isinstance(error, AlreadyExistsError):
            return ExistsError(
                f"{key} already exists in the store {self.url}: what exists is immutable; "
                "choose another name"
            )
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            if self.is_public:
                return NotFoundError(
                    f"there is no {key} in the store {self.url}, or it is not public ({reason})"
                )
            return StoreError(
                f"the store {self.url} refused access to {key!r}: {reason}; check the credentials "
                "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and their rights"
            )
        return StoreError(
            f"the store {self.url} failed at {key!r}: {reason}; check the address and the "
            "network, then run the same command to continue"
        )


class _RangedFile(io.RawIOBase):
    """An object as a seekable file."""

    def __init__(self, objects: Objects, key: str, size: int) -> None:
        self._objects, self._key = objects, key
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
        with self._objects.guard(self._key):
            part = obstore.get_range(self._objects.client, self._key, start=self._at, length=length)
        buffer[:length] = memoryview(part)
        self._at += length
        return length
