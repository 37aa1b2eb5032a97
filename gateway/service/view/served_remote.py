"""Files in a bucket or on a web server, read in pieces without keeping anybody else waiting."""

import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

import obstore
from obstore.exceptions import PreconditionError

from gateway.errors import StoreError
from gateway.volumes.objects import Objects

_KEPT = 8192
"""Sizes of files remembered per process."""
_KEPT_S = 60.0
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One object, its size known."""

    objects: Objects
    key: str
    size: int
    etag: bytes
    modified: bytes
    tag: str | None
    """The server's own tag, with which it tells whether the object is still the same."""

    async def stream(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a span, a piece at a time.

        Raises:
            NotFoundError: The object is gone.
            StoreError: The server failed, or the object was replaced meanwhile.
        """
        if start == stop:
            return
        # not every web server knows ranges, but all know how to send the whole
        options: Any = {} if stop - start == self.size else {"range": (start, stop)}
        if self.tag:
            options["if_match"] = self.tag
        sent = 0
        with self.objects.guard(self.key):
            try:
                found = await obstore.get_async(self.objects.client, self.key, options=options)
            except PreconditionError as error:
                raise StoreError(
                    f"{self.key} was replaced while it was read; ask for it again"
                ) from error
            async for piece in found.stream(min_chunk_size=min(_PIECE, stop - start)):
                sent += len(piece)
                yield bytes(piece)
        if sent != stop - start:
            raise StoreError(
                f"{self.key} in {self.objects.url} gave {sent} of {stop - start} bytes; "
                "ask for it again"
            )


class RemoteFiles:
    """What is known of objects: asked once, remembered for a minute."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: OrderedDict[tuple[str, str], tuple[float, RemoteFile]] = OrderedDict()

    async def open(self, objects: Objects, key: str) -> RemoteFile:
        """Return an object by key.

        Raises:
            NotFoundError: There is none.
            StoreError: The server failed.
        """
        name = (objects.url, key)
        known = self._known.get(name)
        now = time.monotonic()
        if known is not None and known[0] > now:
            return known[1]
        with objects.guard(key):
            meta = await obstore.head_async(objects.client, key)
        file = _remote_file(objects, key, meta)
        self._known[name] = (now + _KEPT_S, file)
        self._known.move_to_end(name)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return file

    def forget(self, file: RemoteFile) -> None:
        """Ask again next time: what was known did not hold."""
        self._known.pop((file.objects.url, file.key), None)


def _remote_file(objects: Objects, key: str, meta: Any) -> RemoteFile:
    size, modified, tag = int(meta["size"]), meta["last_modified"], meta.get("e_tag")
    etag = f'"{modified.timestamp():.0f}-{size:x}-{_plain(tag)}"'
    date = format_datetime(modified, usegmt=True)
    return RemoteFile(objects, key, size, etag.encode(), date.encode(), tag)


def _plain(tag: str | None) -> str:
    return "".join(c for c in tag or "" if c.isalnum() or c == "-")
