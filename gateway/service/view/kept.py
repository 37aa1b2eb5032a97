"""Things kept in memory for a while, within a bound of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The things used last, as many as fit into a number of bytes; safe to use from threads."""

    def __init__(self, most_bytes: int, size: Callable[[T], int]) -> None:
        """Keep at most `most_bytes`, as `size` measures them."""
        self._most = most_bytes
        self._size = size
        self._things: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """What is kept now."""
        return self._bytes

    def get(self, key: Hashable) -> T | None:
        """Return what is kept under a key."""
        with self._lock:
            found = self._things.get(key)
            if found is None:
                return None
            self._things.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, thing: T) -> None:
        """Keep a thing, letting go of those used longest ago."""
        size = self._size(thing)
        with self._lock:
            self._drop(key)
            if size > self._most:
                return
            self._things[key] = (thing, size)
            self._bytes += size
            while self._bytes > self._most:
                self._drop(next(iter(self._things)))

    def _drop(self, key: Hashable) -> None:
        found = self._things.pop(key, None)
        if found is not None:
            self._bytes -= found[1]
