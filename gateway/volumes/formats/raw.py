"""Uncompressed voxels at an offset of a file, read by box with positioned reads.

Not memory-mapped: a file that shrinks or a share that vanishes is then an error with an offset
instead of a dead process, and what was read does not count as memory of the process.
"""

import bz2
import gzip
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError, StoreError

_WIDE = 4
"""Whole rows are read where fewer than this many times the wanted voxels come along."""
_RUN_BYTES = 1 << 13
_PIECE = 16_000_000
_LONGEST_READ = 1 << 30


class InputFile:
    """A file open for positioned reads, safe to share between threads; closes itself."""

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        """Open `path`, or take over an open descriptor and call it `path` in errors."""
        self.path = path
        self._descriptor = -1
        try:
            self._descriptor = (
                os.open(path, os.O_RDONLY | os.O_CLOEXEC) if descriptor is None else descriptor
            )
        except OSError as error:
            raise StoreError(f"cannot open {path}: {error.strerror or error}") from error

    def __del__(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, count: int) -> bytes:
        """Return exactly `count` bytes from `offset`; errors as `fill`."""
        out = bytearray(count)
        self.fill(memoryview(out), offset)
        return bytes(out)

    def fill(self, view: memoryview, offset: int) -> None:
        """Fill `view` from `offset`.

        Raises:
            FormatError: The file ends before; names the byte.
            StoreError: The storage failed.
        """
        done = 0
        while done < len(view):
            piece = view[done : done + _LONGEST_READ]
            try:
                got = os.preadv(self._descriptor, [piece], offset + done)
            except OSError as error:
                raise StoreError(
                    f"cannot read {self.path} at byte {offset + done}: {error.strerror or error}"
                ) from error
            if not got:
                raise FormatError(
                    f"{self.path} is truncated: it ends at byte {self.size}, but "
                    f"{len(view) - done} bytes at byte {offset + done} belong to its voxels"
                )
            done += got


@dataclass(frozen=True, slots=True, kw_only=True)
class RawArray:
    """An array in C order inside an open file."""

    file: InputFile
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __post_init__(self) -> None:
        """Refuse a file that is too short for its array."""
        size = self.file.size
        end = self.offset + math.prod(self.shape) * self.dtype.itemsize
        if size < end:
            raise FormatError(
                f"{self.file.path} is truncated: it ends at byte {size}, but its array of shape "
                f"{self.shape} {self.dtype} needs {end} bytes ({end - size} are missing)"
            )

    @property
    def unit(self) -> tuple[int, ...]:
        """The shape below which reading is no cheaper: a run of the last axis."""
        run = min(self.shape[-1], _RUN_BYTES // self.dtype.itemsize)
        return (*(1 for _ in self.shape[1:]), run)

    def read(self, start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        """Read `start <= index < stop` of every axis."""
        shape = [b - a for a, b in zip(start, stop, strict=True)]
        out = np.empty(shape, self.dtype)
        if self._reads_whole_rows(shape):
            for index in np.ndindex(*shape[:-2]):
                corner = [a + i for a, i in zip(start, index, strict=False)]
                last = [*(a + 1 for a in corner), stop[-2], self.shape[-1]]
                rows = self.read([*corner, start[-2], 0], last)
                out[index] = rows.reshape(shape[-2], -1)[:, start[-1] : stop[-1]]
            return out
        run = len(shape) - 1
        while run and shape[run] == self.shape[run]:
            run -= 1
        for index in np.ndindex(*shape[:run]):
            corner = [a + i for a, i in zip(start, index, strict=False)]
            place = int(np.ravel_multi_index([*corner, *start[run:]], self.shape))
            view = memoryview(out[index].reshape(-1).view(np.uint8).data)
            self.file.fill(view, self.offset + place * self.dtype.itemsize)
        return out

    def _reads_whole_rows(self, shape: Sequence[int]) -> bool:
        """Whether rows are cut in memory, because one read of many rows beats many of a few."""
        return len(shape) > 1 and shape[-1] < self.shape[-1] <= shape[-1] * _WIDE


def inflate(path: Path, offset: int, encoding: str) -> InputFile:
    """Decompress what follows `offset` into a nameless temporary file.

    Args:
        path: The compressed file.
        offset: Where the compressed stream starts.
        encoding: `gzip` or `bzip2`.

    Raises:
        FormatError: The stream is cut short or damaged; names the byte reached.
        StoreError: There is no room for the decompressed voxels.
    """
    try:
        packed = path.open("rb")
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror or error}") from error
    with packed, tempfile.TemporaryFile() as out:
        packed.seek(offset)
        stream: Any = gzip.GzipFile(fileobj=packed) if encoding == "gzip" else bz2.BZ2File(packed)
        done = 0
        while True:
            try:
                piece = stream.read(_PIECE)
            except (EOFError, OSError, ValueError) as error:
                raise FormatError(
                    f"{path} is damaged: its {encoding} stream breaks near byte {packed.tell()}, "
                    f"after {done} decompressed bytes ({error})"
                ) from error
            if not piece:
                break
            done += len(piece)
            _put(out, piece, path)
        out.flush()
        return InputFile(path, os.dup(out.fileno()))


def _put(out: Any, piece: bytes, path: Path) -> None:
    try:
        out.write(piece)
        out.flush()
    except OSError as error:
        raise StoreError(
            f"no room to decompress {path} into {tempfile.gettempdir()}: {error.strerror}; "
            "point TMPDIR at a larger disk"
        ) from error
