"""A pipe between a thread that writes a file and a connection that sends it."""

import io
import threading
from collections.abc import Callable
from queue import Empty, Full, Queue
from typing import Any, BinaryIO, cast

_PIECE = 1 << 18
_WAITING = 16
"""Pieces that may wait to be sent: a slow reader holds the writer up, not the memory."""
_LOOK_S = 0.1
"""How often a writer that is held up looks whether anybody still reads."""


class ReaderGoneError(Exception):
    """Whoever read the pipe has gone away; the writer ends with it."""


class Pipe:
    """Runs a writer in a thread of its own and gives what it writes, piece by piece."""

    def __init__(self, write: Callable[[BinaryIO], None], name: str) -> None:
        """Start writing.

        Args:
            write: Writes a file to what it is given, which cannot go back.
            name: Name of the thread.
        """
        self._pieces: Queue[bytes | None] = Queue(_WAITING)
        self._gone = threading.Event()
        self._error: BaseException | None = None
        self._write = write
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def read(self) -> bytes:
        """Return the next piece; nothing at the end. Blocks until there is one.

        Raises:
            Exception: What the writer raised.
        """
        while True:
            try:
                piece = self._pieces.get(timeout=_LOOK_S)
            except Empty:
                if self._gone.is_set():
                    return b""
                continue
            if piece is not None:
                return piece
            self._pieces.put(None)  # for whoever reads once more
            if self._error is not None:
                raise self._error
            return b""

    def close(self) -> None:
        """Say that nobody reads any more: the writer stops at its next write."""
        self._gone.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the writer to end; returns whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        sink = _Sink(self._put)
        try:
            with io.BufferedWriter(sink, _PIECE) as out:
                self._write(cast("BinaryIO", out))
        except ReaderGoneError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to whoever reads
            self._error = error
        self._end()

    def _put(self, piece: bytes) -> None:
        while not self._gone.is_set():
            try:
                self._pieces.put(piece, timeout=_LOOK_S)
            except Full:
                continue
            return
        raise ReaderGoneError

    def _end(self) -> None:
        while not self._gone.is_set():
            try:
                self._pieces.put(None, timeout=_LOOK_S)
            except Full:
                continue
            return


class _Sink(io.RawIOBase):
    """The writing end."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE):
            self._put(bytes(view[start : start + _PIECE]))
        return len(view)
