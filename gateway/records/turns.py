"""Lets the threads of this process write one after the other, in the order in which they came.

SQLite lets whoever asks at the right moment write next: among many writers one may ask in vain
until its patience ends, however short each write is.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class Turns:
    """A line of threads of which the first has its turn."""

    def __init__(self) -> None:
        """Begin with nobody in line."""
        self._guard = threading.Lock()
        self._line: deque[tuple[int, threading.Event]] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it until the block ends.

        Raises:
            RuntimeError: This thread has it already, and would wait for itself.
        """
        me, called = threading.get_ident(), threading.Event()
        place = (me, called)
        with self._guard:
            if self._line and self._line[0][0] == me:
                raise RuntimeError("a write inside a write of the same thread waits for itself")
            self._line.append(place)
            if len(self._line) == 1:
                called.set()
        try:
            called.wait()
            yield
        finally:
            self._leave(place)

    def _leave(self, place: tuple[int, threading.Event]) -> None:
        with self._guard:
            first = self._line[0] is place
            self._line.remove(place)
            if first and self._line:
                self._line[0][1].set()


_guard = threading.Lock()
_known: "WeakValueDictionary[str, Turns]" = WeakValueDictionary()


def turns_of(database: str) -> Turns:
    """Return the line of a database: all of this process that open it share one."""
    with _guard:
        return _known.setdefault(database, Turns())
