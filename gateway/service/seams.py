"""Cuts the same place out of two overlapping tiles, for people to judge how well they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.volumes.box import Box, Shape
from gateway.volumes.tiles import TileGrid

Positions = Mapping[str, Sequence[float]]
"""File name to position, zyx, in voxels."""
_CONTEXT = 40
"""Voxels shown beyond the overlap."""
_LONGEST = 240
_PLANES = 3
"""Planes whose maximum is shown, so that a cell seldom hides between two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeamView:
    """What two tiles show of one place; equal where only one of them reaches."""

    first: NDArray[Any]
    second: NDArray[Any]


def choose_seam(grid: TileGrid, before: Positions, after: Positions) -> tuple[int, int] | None:
    """Return the two overlapping tiles that were moved farthest against each other, or None."""
    best, farthest = None, -1.0
    for one, two in combinations(range(len(grid.tiles)), 2):
        names = grid.tiles[one].file, grid.tiles[two].file
        common = _box(grid, one, after).intersect(_box(grid, two, after))
        if common is None or common.shape[0] < _PLANES or min(common.shape[1:]) < 8:  # noqa: PLR2004 - too thin to see
            continue
        was, now = (np.subtract(where[names[1]], where[names[0]]) for where in (before, after))
        moved = float(np.linalg.norm(np.subtract(now, was)))
        if moved > farthest:
            best, farthest = (one, two), moved
    return best


def view_seam(grid: TileGrid, pair: tuple[int, int], positions: Positions) -> SeamView | None:
    """Read where two tiles overlap if they lie at `positions`; None where they do not."""
    one, two = (_box(grid, index, positions) for index in pair)
    common = one.intersect(two)
    if common is None:
        return None
    middle = (common.start[0] + common.stop[0]) // 2
    window = _window(common, one, two, middle)
    planes = [_look(grid, index, box, window) for index, box in zip(pair, (one, two), strict=True)]
    (first, has_first), (second, has_second) = planes
    both = has_first & has_second
    # tiles differ in brightness: judge place, not gain
    scale = first[both].mean() / max(float(second[both].mean()), 1e-6) if both.any() else 1.0
    second = second * scale
    return SeamView(
        first=np.where(has_first, first, second), second=np.where(has_second, second, first)
    )


def _box(grid: TileGrid, index: int, positions: Positions) -> Box:
    tile = grid.tiles[index]
    z, y, x = (round(value) for value in positions[tile.file])
    return Box.of_shape(tile.shape).shift((z, y, x))


def _window(common: Box, one: Box, two: Box, middle: int) -> Box:
    """Return a few planes around the overlap, no larger than a picture wants."""
    start, stop = [middle - _PLANES // 2], [middle - _PLANES // 2 + _PLANES]
    for axis in (1, 2):
        low = max(common.start[axis] - _CONTEXT, min(one.start[axis], two.start[axis]))
        high = min(common.stop[axis] + _CONTEXT, max(one.stop[axis], two.stop[axis]))
        surplus = max(0, high - low - _LONGEST)
        start.append(low + surplus // 2)
        stop.append(high - (surplus - surplus // 2))
    return Box(_shape(start), _shape(stop))


def _look(
    grid: TileGrid, index: int, box: Box, window: Box
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the maximum over the window's planes and where the tile reaches."""
    plane = np.zeros(window.shape[1:], np.float32)
    reached = np.zeros(window.shape[1:], bool)
    part = box.intersect(window)
    if part is None:
        return plane, reached
    z, y, x = (-start for start in box.start)
    voxels = grid.source(index).read(part.shift((z, y, x)), channel=0)
    _, rows, across = part.slices(window.start)
    plane[rows, across] = voxels.max(axis=0)
    reached[rows, across] = True
    return plane, reached


def _shape(values: Sequence[int]) -> Shape:
    z, y, x = values
    return (z, y, x)
