"""Which tiles of a grid meet, and which part of each can hold the other's content."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Index = tuple[int, int, int]

SMALLEST_WINDOW = 16
"""Voxels searched either way in plane even where the nominal overlap is narrower."""
DEEPEST_FRACTION = 3
"""The search along an axis on which two tiles overlap fully stays within this part of the tile."""

_FACE = 0.8  # share of a tile's extent from which on two tiles count as lying side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePair:
    """Two tiles whose nominal boxes overlap; `first` < `second`."""

    first: int
    second: int
    displacement: Index
    """Nominal position of `second` minus that of `first`, rounded to voxels, zyx."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strips:
    """The part of each tile that any displacement in the window can overlap, zyx in its tile."""

    first_start: Index
    first_stop: Index
    second_start: Index
    second_stop: Index

    @property
    def offset(self) -> Index:
        """What turns a displacement of tiles into one of strips, by addition."""
        return _index(np.subtract(self.second_start, self.first_start))


def find_pairs(nominal: NDArray[np.float64], shapes: NDArray[np.int64]) -> list[TilePair]:
    """Return all pairs of tiles whose nominal boxes overlap by a voxel or more.

    Args:
        nominal: Stage positions in voxels, `(tiles, 3)`, zyx.
        shapes: Shape of each tile, `(tiles, 3)`.

    Returns:
        The pairs in ascending order of `(first, second)`.
    """
    if len(nominal) < 2:  # noqa: PLR2004
        return []
    pairs = []
    for first, second in _near(nominal, shapes.max(axis=0)):
        moved = nominal[second] - nominal[first]
        extent = overlap_extent(moved, shapes[first], shapes[second])
        if (extent >= 1).all():
            pairs.append(TilePair(first=first, second=second, displacement=_index(np.rint(moved))))
    return pairs


def _near(nominal: NDArray[np.float64], reach: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the pairs in the same or touching cells of a lattice as wide as the largest tile."""
    cells: dict[tuple[int, ...], list[int]] = {}
    keys = [tuple(key) for key in np.floor(nominal / reach).astype(np.int64).tolist()]
    for index, key in enumerate(keys):
        cells.setdefault(key, []).append(index)
    return [
        (index, other)
        for index, key in enumerate(keys)
        for other in sorted(
            other
            for step in product((-1, 0, 1), repeat=3)
            for other in cells.get(tuple(np.add(key, step).tolist()), ())
            if other > index
        )
    ]


def overlap_extent(
    displacement: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the overlap per axis of two boxes, the second displaced; negative is a gap."""
    return np.asarray(np.minimum(first, displacement + second) - np.maximum(0, displacement))


def default_window(
    pairs: list[TilePair], shapes: NDArray[np.int64], voxel_um: tuple[float, float, float]
) -> Index:
    """Return how far to search either way, in voxels: as far as a typical overlap is wide.

    A stage that errs by more than the overlap it was told to leave loses the overlap, so a wider
    search finds nothing. The same length in micrometres is searched along the other axes, but
    not further than a third of the tile.

    Args:
        pairs: The pairs of `find_pairs`.
        shapes: Shape of each tile, `(tiles, 3)`.
        voxel_um: Voxel size, zyx.
    """
    depth = np.maximum(shapes.min(axis=0) // DEEPEST_FRACTION, 1)
    if not pairs:
        return _index(np.minimum(depth, SMALLEST_WINDOW))
    overlap = typical_overlap(pairs, shapes) * np.asarray(voxel_um)
    widths = [float(w) for w in overlap if w > 0]
    finest = min(voxel_um)
    width_um = max(max(widths, default=0.0), SMALLEST_WINDOW * finest)
    return _index(np.minimum(depth, np.ceil(width_um / np.asarray(voxel_um))))


def typical_overlap(pairs: list[TilePair], shapes: NDArray[np.int64]) -> Index:
    """Return the median width in voxels of the overlaps across each axis; 0 where none is.

    Args:
        pairs: The pairs of `find_pairs`.
        shapes: Shape of each tile, `(tiles, 3)`.
    """
    widths: tuple[list[float], ...] = ([], [], [])
    for pair in pairs:
        moved = np.asarray(pair.displacement, float)
        extent = overlap_extent(moved, shapes[pair.first], shapes[pair.second])
        shared = extent / np.minimum(shapes[pair.first], shapes[pair.second])
        across = np.flatnonzero(shared < _FACE)
        if len(across) == 1:
            widths[across[0]].append(float(extent[across[0]]))
    z, y, x = (int(np.median(w)) if w else 0 for w in widths)
    return (z, y, x)


def search_strips(
    displacement: Index, first_shape: Index, second_shape: Index, window: Index
) -> Strips:
    """Return the boxes to read of two tiles so that every displacement in the window is covered.

    Args:
        displacement: Where the search is centred, zyx.
        first_shape: Shape of the first tile.
        second_shape: Shape of the second tile.
        window: How far the search goes either way.
    """
    centre, reach = np.asarray(displacement), np.asarray(window)
    low, high = centre - reach, centre + reach
    first, second = np.asarray(first_shape), np.asarray(second_shape)
    return Strips(
        first_start=_index(np.clip(low, 0, first)),
        first_stop=_index(np.clip(high + second, 0, first)),
        second_start=_index(np.clip(-high, 0, second)),
        second_stop=_index(np.clip(first - low, 0, second)),
    )


def _index(values: NDArray[np.generic]) -> Index:
    z, y, x = (int(v) for v in values)
    return (z, y, x)
