"""The grid of an annotation layer: which block an object is in, and which blocks a box meets.

A key is level, z, y, x, packed into 63 bits, so that blocks along x have consecutive keys. Points
are on level 0. What has an extent is on the first level whose blocks are as large as it, by its
centre: half a block around a box is then enough to find all that reaches into the box.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.volumes.box import Vector
from gateway.volumes.points import BoxUm

_BITS = 20
_MOST = (1 << _BITS) - 1
FACTOR = 4
"""Between the edges of blocks of one level and the next."""
LEVELS = 6
"""Points; extents up to 1, 4, 16 and 64 blocks; anything."""
SCALES = 4
"""Scales of counts: 1, 4, 16 and 64 blocks."""
_BLOCKS_ALONG = 128
_MOST_RANGES = 1024


@dataclass(frozen=True, slots=True)
class Grid:
    """Blocks of a layer, counted from the lowest corner of its volume."""

    lowest: Vector
    block_um: float

    def edge(self, level: int) -> float:
        """Return the edge of a block of a level of objects in micrometres."""
        return self.block_um * float(FACTOR ** max(0, level - 1))

    def key(self, centre: Sequence[float], extent_um: float, *, point: bool) -> int:
        """Return the key of an object's block."""
        level = (
            0
            if point
            else next((i for i in range(1, LEVELS - 1) if extent_um <= self.edge(i)), LEVELS - 1)
        )
        if level == LEVELS - 1:
            return level << 3 * _BITS
        return pack(level, [int(n) for n in self._cell(centre, self.edge(level))])

    def cell(self, centre: Sequence[float], scale: int) -> int:
        """Return the key of the cell that counts an object at a scale."""
        edge = self.block_um * FACTOR**scale
        return pack(0, [int(n) for n in self._cell(centre, edge)])

    def cells(self, centres: NDArray[np.float64], scale: int) -> NDArray[np.int64]:
        """Return the keys of many centres (rows of zyx) at a scale; those of points at scale 0."""
        edge = self.block_um * FACTOR**scale
        at = np.floor((centres - np.asarray(self.lowest)) / edge)
        z, y, x = np.clip(at, 0, _MOST).astype(np.int64).T
        keys: NDArray[np.int64] = (z << 2 * _BITS) | (y << _BITS) | x
        return keys

    def ranges(self, box: BoxUm, level: int) -> list[tuple[int, int]]:
        """Return ranges of keys, both ends included, of the blocks that may hold objects of a box.

        A box of very many blocks gets few ranges that also hold others.
        """
        if level == LEVELS - 1:
            return [(level << 3 * _BITS, level << 3 * _BITS)]
        grown = self.edge(level) / 2 if level else 0.0
        start = [value - grown for value in box[0]]
        stop = [value + grown for value in box[1]]
        return self._ranges(start, stop, self.edge(level), level)

    def count_ranges(self, box: BoxUm, scale: int) -> list[tuple[int, int]]:
        """Return ranges of keys of the cells of a scale that meet a box."""
        return self._ranges(box[0], box[1], self.block_um * FACTOR**scale, 0)

    def corner(self, key: int, scale: int) -> Vector:
        """Return the lowest corner of a cell of counts in micrometres."""
        edge = self.block_um * FACTOR**scale
        z, y, x = key >> 2 * _BITS & _MOST, key >> _BITS & _MOST, key & _MOST
        a, b, c = self.lowest
        return (a + z * edge, b + y * edge, c + x * edge)

    def _cell(self, at: Sequence[float], edge: float) -> NDArray[np.float64]:
        cell = np.floor((np.asarray(at, np.float64) - np.asarray(self.lowest)) / edge)
        return np.asarray(np.clip(cell, 0, _MOST))

    def _ranges(
        self, start: Sequence[float], stop: Sequence[float], edge: float, level: int
    ) -> list[tuple[int, int]]:
        first = [int(n) for n in self._cell(start, edge)]
        # half-open: a box that ends at a face does not reach into the next block
        last = [max(a, int(n)) for a, n in zip(first, self._cell(stop, edge), strict=True)]
        rows = (last[0] - first[0] + 1) * (last[1] - first[1] + 1)
        if rows <= _MOST_RANGES:
            return [
                (pack(level, [z, y, first[2]]), pack(level, [z, y, last[2]]))
                for z in range(first[0], last[0] + 1)
                for y in range(first[1], last[1] + 1)
            ]
        if last[0] - first[0] < _MOST_RANGES:
            return [
                (pack(level, [z, first[1], 0]), pack(level, [z, last[1], _MOST]))
                for z in range(first[0], last[0] + 1)
            ]
        return [(pack(level, [first[0], 0, 0]), pack(level, [last[0], _MOST, _MOST]))]


def pack(level: int, cell: Sequence[int]) -> int:
    """Return the key of a block."""
    z, y, x = cell
    return level << 3 * _BITS | z << 2 * _BITS | y << _BITS | x


def choose_block_um(lowest: Vector, highest: Vector) -> float:
    """Return an edge, a power of two, of which at most 128 reach along the volume."""
    longest = max(b - a for a, b in zip(lowest, highest, strict=True))
    exponent = int(np.ceil(np.log2(max(longest, 1e-9) / _BLOCKS_ALONG)))
    return float(2.0**exponent)


def scale_for(grid: Grid, box: BoxUm, most: int) -> int:
    """Return the finest scale of counts at which a box has at most `most` cells."""
    for scale in range(SCALES - 1):
        edge = grid.block_um * FACTOR**scale
        cells = np.prod([np.ceil((b - a) / edge) + 1 for a, b in zip(*box, strict=True)])
        if cells <= most:
            return scale
    return SCALES - 1


def pieces(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut a sequence into pieces that one statement can take."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
