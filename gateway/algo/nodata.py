"""Voxels that hold no data: the one grey level with which stitched or turned volumes are filled.

A fill is the lowest value of a volume, if an empty gap of grey levels parts it from the data, and
it and the data both lie in pieces larger than the objects sought. Every count is exact, so blocks
give what the whole volume gives. What lies in the fill takes no part in any average.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gateway.algo.gaussian import Kernels, smooth_valid

Shape = tuple[int, int, int]
Vector = tuple[float, float, float]

WHOLE_LEVELS, REAL_LEVELS = 4, 16
"""Lowest grey levels of the data that are narrower than the gap below them, by kind of dtype."""
DATA_EDGE = 3.0
"""Faces between data and fill, per volume of data, in diameters: 9 for balls of one diameter
(which are objects on an empty background), 0 where nothing is missing."""
FILL_EDGE = 6.0
"""The same per volume of fill: 6 for a sheet of a third of a diameter, and more for lone voxels."""
FAINTEST = 1e-2
"""Weight of the data in a Gaussian below which there is nothing to average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowest:
    """The lowest grey levels of a block, and where the first of them lies."""

    levels: NDArray[np.float64]
    """Sorted and distinct; infinite where there are no more."""
    count: int
    """Voxels at the lowest level."""
    faces: tuple[int, int, int]
    """Neighbours along z, y, x of which one has the lowest level."""


def lowest_levels(voxels: NDArray[Any], start: Shape, stop: Shape) -> Lowest:
    """Look for the lowest grey levels of a block and around it.

    Args:
        voxels: `zyx`, with at least one more voxel after the block where the volume goes on.
        start: First voxel of the block within `voxels`; it alone is counted.
        stop: Its end.
    """
    more = WHOLE_LEVELS if voxels.dtype.kind in "iu" else REAL_LEVELS
    levels = np.full(more + 1, np.inf)
    voxels = np.ascontiguousarray(voxels)
    _collect(voxels.reshape(-1), levels)
    counts = np.zeros(4, np.int64)
    bounds = np.asarray((start, stop))
    _count_faces(voxels, voxels.dtype.type(levels[0]), bounds, counts)
    count, z, y, x = counts.tolist()
    return Lowest(levels=levels, count=count, faces=(z, y, x))


def has_gap(levels: NDArray[np.float64]) -> bool:
    """Say whether an empty gap parts the lowest level from the next ones.

    Of fewer levels than are looked at there is no telling: such a volume is no photograph.
    """
    return bool(np.isfinite(levels[-1])) and bool(levels[1] - levels[0] > levels[-1] - levels[1])


def may_have_gap(levels: NDArray[np.float64], *, whole: bool) -> bool:
    """Say whether a volume may have a gap of which a block has these lowest levels."""
    return bool(np.isfinite(levels[1])) and not (whole and levels[1] - levels[0] < WHOLE_LEVELS)


def join_lowest(parts: list[Lowest]) -> Lowest:
    """Return the lowest levels of a volume from those of its blocks."""
    levels = np.unique(np.concatenate([p.levels for p in parts]))
    size = len(parts[0].levels)
    levels = np.concatenate([levels, np.full(size, np.inf)])[:size]
    same = [p for p in parts if p.levels[0] == levels[0]]
    z, y, x = (sum(p.faces[axis] for p in same) for axis in range(3))
    return Lowest(levels=levels, count=sum(p.count for p in same), faces=(z, y, x))


def fill_value(
    lowest: Lowest, shape: Shape, voxel_um: Vector, diameter_um: float
) -> NDArray[np.float64]:
    """Return the value that stands for no data.

    Args:
        lowest: That of the volume.
        shape: Its voxels, zyx.
        voxel_um: Voxel size.
        diameter_um: Diameter of the objects sought.

    Returns:
        Shape (1,); or (0,) where every voxel is data.
    """
    none = np.zeros(0)
    data = int(np.prod(np.asarray(shape, np.int64))) - lowest.count
    used = [axis for axis in range(3) if shape[axis] > 1]
    object_voxels = np.prod([diameter_um / voxel_um[axis] for axis in used])
    if not has_gap(lowest.levels) or min(lowest.count, data) < object_voxels:
        return none
    faces = sum(lowest.faces[axis] / voxel_um[axis] for axis in used) * diameter_um
    if faces > DATA_EDGE * data or faces > FILL_EDGE * lowest.count:
        return none
    return lowest.levels[:1].copy()


def bin_data(
    voxels: NDArray[Any], factor: Shape, fill: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Average the data in each bin, as `bin_voxels` does, leaving the fill out.

    Args:
        voxels: `zyx`; the first voxel starts a bin.
        factor: Voxels per bin, zyx.
        fill: The value that stands for no data, shape (1,).

    Returns:
        The averages, 0 where more than half of a bin is fill; and the part of the bin that is
        data. Both float32.
    """
    z, y, x = (-(-n // f) for n, f in zip(voxels.shape, factor, strict=True))
    mean, part = np.empty((z, y, x), np.float32), np.empty((z, y, x), np.float32)
    value = voxels.dtype.type(fill[0])
    _bin_data(np.ascontiguousarray(voxels), np.asarray(factor), value, mean, part)
    return mean, part


def smooth_data(
    padded: NDArray[np.float32], missing: NDArray[np.float32], kernels: Kernels
) -> NDArray[np.float32]:
    """Smooth the data alone: the weighted mean of what is there (doi:10.1109/CVPR.1993.341081).

    Args:
        padded: Block with the support of the kernels around it, 0 where data is missing.
        missing: 1 there, 0 elsewhere.
        kernels: The Gaussian.

    Returns:
        The mean, NaN where too little data is near; that of `smooth_valid`, bit for bit, where
        none is missing within the support.
    """
    mean = smooth_valid(padded, kernels)
    _divide(mean.reshape(-1), smooth_valid(missing, kernels).reshape(-1), np.float32(FAINTEST))
    return mean


def smooth_filled(
    padded: NDArray[np.float32],
    missing: NDArray[np.float32],
    kernels: Kernels,
    around: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Smooth data whose missing part is as bright as what is around.

    Args:
        padded: Block with the support of the kernels around it, 0 where data is missing.
        missing: 1 there, 0 elsewhere.
        kernels: The Gaussian.
        around: How bright that is, for every voxel of the block.
    """
    total = smooth_valid(padded, kernels)
    hole = smooth_valid(missing, kernels)
    _fill_in(total.reshape(-1), hole.reshape(-1), around.reshape(-1))
    return total


@njit(cache=True, nogil=True)
def _collect(voxels: Any, levels: Any) -> None:
    """Keep the lowest distinct values, sorted."""
    last = levels.size - 1
    for voxel in voxels:
        value = np.float64(voxel)
        if value >= levels[last] or value == levels[0]:
            continue
        at = 0
        while levels[at] < value:
            at += 1
        if levels[at] == value:
            continue
        for k in range(last, at, -1):
            levels[k] = levels[k - 1]
        levels[at] = value


@njit(cache=True, nogil=True)
def _count_faces(voxels: Any, value: Any, bounds: Any, counts: Any) -> None:
    depth, height, width = voxels.shape
    for z in range(bounds[0, 0], bounds[1, 0]):
        for y in range(bounds[0, 1], bounds[1, 1]):
            row = voxels[z, y]
            below = voxels[min(z + 1, depth - 1), y]
            behind = voxels[z, min(y + 1, height - 1)]
            for x in range(bounds[0, 2], bounds[1, 2]):
                here = row[x] == value
                counts[0] += here
                counts[1] += here != (below[x] == value)
                counts[2] += here != (behind[x] == value)
                counts[3] += here != (row[min(x + 1, width - 1)] == value)


@njit(cache=True, nogil=True)
def _bin_data(voxels: Any, factor: Any, fill: Any, mean: Any, part: Any) -> None:
    depth, height, width = voxels.shape
    for z in range(mean.shape[0]):
        for y in range(mean.shape[1]):
            for x in range(mean.shape[2]):
                total = 0.0
                count = size = 0
                for k in range(z * factor[0], min(depth, (z + 1) * factor[0])):
                    for j in range(y * factor[1], min(height, (y + 1) * factor[1])):
                        for i in range(x * factor[2], min(width, (x + 1) * factor[2])):
                            size += 1
                            if voxels[k, j, i] != fill:
                                total += np.float64(voxels[k, j, i])
                                count += 1
                part[z, y, x] = np.float32(count / size)
                mean[z, y, x] = np.float32(total / count) if 2 * count >= size else np.float32(0)


@njit(cache=True, nogil=True)
def _divide(total: Any, hole: Any, faintest: Any) -> None:
    for n in range(total.size):
        if hole[n] > 0:
            weight = np.float32(1) - hole[n]
            total[n] = total[n] / weight if weight > faintest else np.float32(np.nan)


@njit(cache=True, nogil=True)
def _fill_in(total: Any, hole: Any, around: Any) -> None:
    for n in range(total.size):
        if hole[n] > 0:
            total[n] += hole[n] * around[n]
