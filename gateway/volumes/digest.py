"""Digests: the hash of decoded content, whatever the chunks, shards, blocks or codecs."""

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from gateway.errors import CorruptionError, FormatError
from gateway.volumes.box import Box, Shape, cut_boxes
from gateway.volumes.columns import canonical_names, canonical_order, canonical_values
from gateway.volumes.layout import CELL
from gateway.volumes.model import VolumeInfo

CELLS_FILE = "cells.npy"
"""Beside the chunks of a level: the hashes of its cells."""

_PLACE = 6
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cells:
    """Hashes of cells of 64³ voxels, as the writing of a box gives them."""

    places: NDArray[np.int64]
    """One row per cell: level, time, channel, and cell index z, y, x."""
    hashes: NDArray[np.uint8]
    """The 32 bytes of BLAKE3 of each cell."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the two arrays by name, for storage without pickle."""
        return {"places": self.places, "hashes": self.hashes}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make the cells that `arrays()` gave."""
        return cls(arrays["places"].reshape(-1, _PLACE), arrays["hashes"].reshape(-1, _HASH_BYTES))


def join_cells(parts: Iterable[Cells]) -> Cells:
    """Join the cells of several writes into one."""
    known = list(parts)
    if not known:
        return Cells(np.empty((0, _PLACE), np.int64), np.empty((0, _HASH_BYTES), np.uint8))
    return Cells(
        np.concatenate([part.places for part in known]),
        np.concatenate([part.hashes for part in known]),
    )


def hash_cells(
    voxels: NDArray[Any], box: Box, *, level: int = 0, time: int = 0, channel: int = 0
) -> Cells:
    """Hash the cells of a box.

    Args:
        voxels: The `zyx` voxels of the box; its start is a multiple of 64 on each axis.
        box: Where they lie in the level.
        level: Index of the level.
        time: Time point.
        channel: Channel.
    """
    little = voxels.dtype.newbyteorder("<")
    places, hashes = [], []
    for cell in cut_boxes(box, (CELL, CELL, CELL)):
        content = np.ascontiguousarray(voxels[cell.slices(box.start)], dtype=little)
        places.append((level, time, channel, *(a // CELL for a in cell.start)))
        hashes.append(blake3(content.data.cast("B")).digest())
    joined = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, _HASH_BYTES)
    return Cells(np.asarray(places, np.int64).reshape(-1, _PLACE), joined)


def encode_hashes(hashes: NDArray[np.uint8]) -> bytes:
    """Return the cell hashes of a level as the content of a `.npy` file."""
    return _npy_header(hashes.shape) + hashes.tobytes()


def decode_hashes(content: bytes, counts: tuple[int, ...], name: str) -> NDArray[np.uint8]:
    """Return the cell hashes in a `.npy` file: times, channels, cells z, y, x, then 32 bytes.

    Args:
        content: The file.
        counts: Times, channels and cells it must hold.
        name: What to call the file in an error.

    Raises:
        CorruptionError: It is not such an array, to the byte.
    """
    shape = (*counts, _HASH_BYTES)
    header = _npy_header(shape)
    expected = len(header) + math.prod(shape)
    if len(content) != expected or not content.startswith(header):
        raise CorruptionError(
            f"{name} is broken: got {len(content)} bytes, expected a NumPy file of {expected} "
            f"bytes with the hashes of {counts} cells"
        )
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _npy_header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def cell_counts(shape: Shape) -> Shape:
    """Return the number of cells per axis of a level."""
    z, y, x = (-(-n // CELL) for n in shape)
    return (z, y, x)


def cell_box(shape: Shape, index: Shape) -> Box:
    """Return the voxels of one cell, clipped at the far faces."""
    start = (index[0] * CELL, index[1] * CELL, index[2] * CELL)
    stop = [min(n, a + CELL) for n, a in zip(shape, start, strict=True)]
    return Box(start, (stop[0], stop[1], stop[2]))


class CellTable:
    """The cell hashes of every level of one volume, filled in any order."""

    def __init__(self, info: VolumeInfo) -> None:
        """Make an empty table for the levels of `info`."""
        self._info = info
        lead = (info.times, len(info.channels))
        grids = [(*lead, *cell_counts(level.shape)) for level in info.levels]
        self._hashes = [np.zeros((*grid, _HASH_BYTES), np.uint8) for grid in grids]
        self._seen = [np.zeros(grid, np.bool_) for grid in grids]

    def add(self, cells: Cells) -> None:
        """Enter cells; the same cell may come again with the same hash.

        Raises:
            CorruptionError: A cell comes with two hashes, so two writers disagree.
        """
        for level in np.unique(cells.places[:, 0]):
            rows = cells.places[:, 0] == level
            place = tuple(cells.places[rows, 1:].T)
            seen, hashes = self._seen[level], self._hashes[level]
            differs = seen[place] & (hashes[place] != cells.hashes[rows]).any(axis=1)
            if differs.any():
                index = cells.places[rows, 3:][differs][0]
                box = self._box(int(level), index)
                raise CorruptionError(f"level {level}, box {box} was written with two contents")
            hashes[place] = cells.hashes[rows]
            seen[place] = True

    def hashes(self, level: int) -> NDArray[np.uint8]:
        """Return the hashes of one level: times, channels, cells z, y, x, then 32 bytes."""
        return self._hashes[level]

    @property
    def missing_count(self) -> int:
        """Number of cells that never came."""
        return sum(int(np.count_nonzero(~seen)) for seen in self._seen)

    def missing(self) -> Iterator[tuple[int, Box]]:
        """Yield the level and box of every cell that never came."""
        for level, seen in enumerate(self._seen):
            for index in np.argwhere(~seen):
                yield level, self._box(level, index[2:])

    def _box(self, level: int, index: NDArray[np.int64]) -> Box:
        z, y, x = map(int, index)
        return cell_box(self._info.levels[level].shape, (z, y, x))


def level_digest(info: VolumeInfo, level: int, hashes: NDArray[np.uint8]) -> str:
    """Return the digest of one level; that of level 0 is the digest of the volume.

    Args:
        info: Shape, dtype and voxel size are part of the digest.
        level: Index of the level.
        hashes: Its cell hashes: times, channels, cells z, y, x, then 32 bytes.
    """
    grid = info.levels[level]
    header = {
        "dtype": info.dtype,
        "shape": [info.times, len(info.channels), *grid.shape],
        "voxel_um": [float(um) for um in grid.voxel_um],
    }
    return _digest([_canonical(header), np.ascontiguousarray(hashes).tobytes()])


def canonical_digest(value: object) -> str:
    """Return the digest of a JSON value, whatever the order of its names."""
    return _digest([_canonical(value)])


def columns_digest(
    columns: Mapping[str, NDArray[Any]], order: NDArray[np.intp] | None = None
) -> str:
    """Return the digest of a table, whatever the order of its rows and columns.

    Columns are taken by name, `z_um,y_um,x_um` first, and rows sorted by them. All NaN are
    one value, and so are the two zeros.

    Args:
        columns: One array per name, all of one length; numbers, truth values or text.
        order: The `canonical_order` of the rows, where the caller has it already.

    Raises:
        FormatError: The columns differ in length or are not one-dimensional.
    """
    named = {name: np.asarray(columns[name]) for name in canonical_names(columns)}
    for name, column in named.items():
        if column.ndim != 1:
            raise FormatError(f"column {name!r} has {column.ndim} axes; a table's columns have one")
    sizes = {name: len(column) for name, column in named.items()}
    if len(set(sizes.values())) > 1:
        raise FormatError(f"the columns of a table differ in length: {sizes}")
    values = {name: canonical_values(column) for name, column in named.items()}
    if order is None:
        order = canonical_order(values)
    header = {"rows": len(order), "columns": [_kind(n, v) for n, v in values.items()]}
    return _digest([_canonical(header), *(_column_bytes(v[order]) for v in values.values())])


def _kind(name: str, values: NDArray[Any]) -> list[str]:
    return [name, "text" if values.dtype.kind == "U" else values.dtype.name]


def _column_bytes(values: NDArray[Any]) -> bytes:
    if values.dtype.kind == "U":
        return _canonical(values.tolist())
    return np.ascontiguousarray(values).tobytes()


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(parts: Iterable[bytes]) -> str:
    whole = blake3()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return f"blake3:{whole.hexdigest()}"
