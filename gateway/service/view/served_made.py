"""Bytes that are made when they are asked for: once for all who wait, and kept within a bound."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from dataclasses import dataclass

from blake3 import blake3

_KEPT_BYTES = 64_000_000
_TAG_BYTES = 12


@dataclass(frozen=True, slots=True)
class MadeFile:
    """Content held in memory, known by what is in it."""

    content: bytes
    etag: bytes
    modified: bytes = b""

    @property
    def size(self) -> int:
        """Bytes there are."""
        return len(self.content)


class MadeFiles:
    """What was made last, up to a number of bytes."""

    def __init__(self, pool: Executor, limit_bytes: int = _KEPT_BYTES) -> None:
        """Make things in the threads of `pool`."""
        self._pool = pool
        self._limit = limit_bytes
        self._held: OrderedDict[Hashable, MadeFile] = OrderedDict()
        self._bytes = 0
        self._pending: dict[Hashable, asyncio.Future[MadeFile]] = {}

    async def get(self, name: Hashable, make: Callable[[], bytes]) -> MadeFile:
        """Return what has that name; make it, in a thread, where it is not at hand.

        What `make` raises reaches everyone who waits; it is asked again next time.
        """
        held = self._held.get(name)
        if held is not None:
            self._held.move_to_end(name)
            return held
        pending = self._pending.get(name)
        if pending is None:
            loop = asyncio.get_running_loop()
            pending = loop.run_in_executor(self._pool, _made, make)
            self._pending[name] = pending
            pending.add_done_callback(lambda done: self._settle(name, done))
        # one who hangs up must not take it from the others
        return await asyncio.shield(pending)

    @property
    def held_bytes(self) -> int:
        """Bytes of all that is held."""
        return self._bytes

    def _settle(self, name: Hashable, done: "asyncio.Future[MadeFile]") -> None:
        del self._pending[name]
        if done.cancelled() or done.exception() is not None:
            return
        file = done.result()
        if file.size > self._limit // 4:
            return
        self._held[name] = file
        self._bytes += file.size
        while self._bytes > self._limit:
            self._bytes -= self._held.popitem(last=False)[1].size


def _made(make: Callable[[], bytes]) -> MadeFile:
    return made_file(make())


def made_file(content: bytes) -> MadeFile:
    """Name content by what is in it."""
    tag = blake3(content).hexdigest(length=_TAG_BYTES)
    return MadeFile(content, f'"{tag}"'.encode())
