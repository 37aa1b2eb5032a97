"""The spatial index of annotations: which cells there are, and which rows each level shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.volumes.points import BoxUm

Cell = tuple[int, int, int]
"""A cell of a level, in the axis order of the viewer: x, y, z."""

LIMIT = 4096
"""Annotations that a cell shows at most, on average: some 100 kB a request."""

_FINEST = 16
"""Most halvings of the longest side; cell numbers fit two bytes."""
_MOST_LEVELS = 12


@dataclass(frozen=True, slots=True)
class GridLevel:
    """One level of the index."""

    halvings: Cell
    """How often each axis of the cube around all points was halved to give a cell."""
    shape: Cell
    first: float
    stop: float
    """The level shows the rows whose lot is `first <= lot < stop`."""
    limit: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A cube around all points, halved again and again, as the rows of the table are sorted."""

    corner: NDArray[np.float64]
    """Lowest position, xyz, in micrometres."""
    side: float

    @classmethod
    def around(cls, bounds_um: BoxUm | None) -> "Grid":
        """Return the grid of a table; `bounds_um` is zyx, None where the table is empty."""
        if bounds_um is None:
            return cls(np.zeros(3), 1.0)
        low, high = (np.asarray(corner[::-1], np.float64) for corner in bounds_um)
        side = float((high - low).max())
        # the upper bound of the index is exclusive
        return cls(low, np.nextafter(np.float32(side or 1.0), np.float32(np.inf)).item())

    def cells(self, positions: NDArray[np.float64]) -> NDArray[np.uint16]:
        """Return the finest cell of each position, both xyz."""
        scaled = (positions - self.corner) * (2**_FINEST / self.side)
        cells: NDArray[np.uint16] = np.clip(scaled, 0, 2**_FINEST - 1).astype(np.uint16)
        return cells

    def cell_size(self, level: GridLevel) -> NDArray[np.float64]:
        """Return the extent of a cell, xyz, in micrometres."""
        return self.side / 2.0 ** np.asarray(level.halvings, np.float64)

    def cell_box(self, level: GridLevel, cell: Cell) -> BoxUm:
        """Return the box of a cell, zyx, a little wider, so that rounding loses no row of it."""
        size = self.cell_size(level)
        start = self.corner + np.asarray(cell) * size
        slack = self.side * 1e-9 + np.abs(start) * 1e-12
        low, high = (start - slack)[::-1], (start + size + slack)[::-1]
        return tuple(map(float, low)), tuple(map(float, high))  # type: ignore[return-value]

    def levels(
        self, cells: NDArray[np.uint16], share: float, highest: NDArray[np.float64]
    ) -> tuple[GridLevel, ...]:
        """Choose the levels, coarse to fine, so that no cell of any shows far more than `LIMIT`.

        Args:
            cells: The finest cells of a random sample of the rows.
            share: The share of all rows that are in the sample.
            highest: Highest position, xyz.
        """
        halvings = self._first(highest)
        start = halvings
        levels: list[GridLevel] = []
        shown = 0.0
        while shown < 1.0:
            fullest = _fullest(coarser(cells, halvings)) / share
            last = len(levels) + 1 == _MOST_LEVELS or min(halvings) == _FINEST
            stop = 1.0 if last else min(1.0, shown + LIMIT / max(fullest, 1.0))
            limit = max(1, round(fullest * (stop - shown)))
            x, y, z = (2 ** (n - s) for n, s in zip(halvings, start, strict=True))
            levels.append(GridLevel(halvings, (x, y, z), shown, stop, limit))
            shown, halvings = stop, _halve(halvings)
        return tuple(levels)

    def _first(self, highest: NDArray[np.float64]) -> Cell:
        """Return the halvings of the one cell that holds everything."""
        extent = np.maximum(highest - self.corner, 0.0)
        counts = []
        for axis in range(3):
            halvings = 0
            while halvings < _FINEST // 2 and extent[axis] < self.side / 2 ** (halvings + 1):
                halvings += 1
            counts.append(halvings)
        return (counts[0], counts[1], counts[2])


def coarser(cells: NDArray[np.uint16], halvings: Cell) -> NDArray[np.uint16]:
    """Return the cells of a level from the finest ones, counted from its first."""
    shifts = np.asarray([_FINEST - n for n in halvings], np.uint16)
    result: NDArray[np.uint16] = cells >> shifts
    return result


def lots(rows: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Draw a lot in 0 ≤ lot < 1 for each row number: the same whenever and wherever it is drawn."""
    with np.errstate(over="ignore"):
        mixed = (rows + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    result: NDArray[np.float64] = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return result


def cell_codes(cells: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Return one number per cell."""
    wide = cells.astype(np.uint64)
    code: NDArray[np.uint64] = (wide[:, 2] << np.uint64(32)) | (wide[:, 1] << np.uint64(16))
    return code | wide[:, 0]


def _fullest(cells: NDArray[Any]) -> int:
    """Return the count of rows in the fullest cell."""
    if not len(cells):
        return 0
    codes = np.sort(cell_codes(cells))
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return int(np.diff(np.append(starts, len(codes))).max())


def _halve(halvings: Cell) -> Cell:
    """Halve the longest axes of a cell."""
    least = min(halvings)
    x, y, z = (n + 1 if n == least else n for n in halvings)
    return (x, y, z)
