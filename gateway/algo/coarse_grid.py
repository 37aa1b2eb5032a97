"""The grid on which blobs are sought: voxels binned until a nucleus is about eight of them wide."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gateway.algo.gaussian import reflect_indices

Shape = tuple[int, int, int]
Vector = tuple[float, float, float]

WIDTH = 8
"""Voxels across an object below which binning would cost accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseGrid:
    """A volume seen through bins of whole voxels; bins start at voxel 0, the last may be short."""

    full_shape: Shape
    """Voxels of the volume, zyx."""
    factor: Shape
    """Voxels per bin, zyx."""
    voxel_um: Vector
    """Edges of a bin."""

    @property
    def shape(self) -> Shape:
        """Bins per axis."""
        z, y, x = (-(-n // f) for n, f in zip(self.full_shape, self.factor, strict=True))
        return z, y, x

    def core(self, start: Shape, stop: Shape) -> tuple[Shape, Shape]:
        """Return the bins that a box of voxels owns: those whose first voxel it holds."""
        return _ceil(start, self.factor), _ceil(stop, self.factor)

    def voxels(self, start: Shape, stop: Shape) -> tuple[Shape, Shape]:
        """Return the box of voxels under a box of bins, clipped to the volume."""
        low = tuple(max(0, s) * f for s, f in zip(start, self.factor, strict=True))
        high = tuple(
            min(n, s * f) for s, f, n in zip(stop, self.factor, self.full_shape, strict=True)
        )
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def reach(self, start: Shape, stop: Shape) -> tuple[Shape, Shape]:
        """Clip a box of bins to the volume, keeping what its mirrored part needs."""
        low, high = [], []
        for a, b, n in zip(start, stop, self.shape, strict=True):
            indices = reflect_indices(a, b, n)
            low.append(int(indices.min()))
            high.append(int(indices.max()) + 1)
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def cover(self, start: Shape, stop: Shape) -> tuple[Shape, Shape]:
        """Return the bins that a box of voxels touches."""
        z, y, x = (s // f for s, f in zip(start, self.factor, strict=True))
        return (z, y, x), _ceil(stop, self.factor)

    def bins(self, voxels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions in bins, shape (n, 3), of positions in voxels."""
        return (voxels + 0.5) / np.asarray(self.factor, np.float64) - 0.5

    def centres(self, bins: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions in voxels, shape (n, 3), of positions in bins."""
        factor = np.asarray(self.factor, np.float64)
        return (bins + 0.5) * factor - 0.5


def coarse_grid(
    shape: Shape, voxel_um: Vector, diameter_um: float, *, width: int = WIDTH
) -> CoarseGrid:
    """Choose whole bins so that a nucleus stays at least `width` bins wide where it was."""
    z, y, x = (max(1, math.floor(diameter_um / v / width)) for v in voxel_um)
    edges = (voxel_um[0] * z, voxel_um[1] * y, voxel_um[2] * x)
    return CoarseGrid(full_shape=shape, factor=(z, y, x), voxel_um=edges)


def bin_voxels(voxels: NDArray[Any], factor: Shape) -> NDArray[np.float32]:
    """Average bins; short bins at the far faces average what they hold.

    Args:
        voxels: `zyx`, any real dtype; the first voxel starts a bin.
        factor: Voxels per bin, zyx.

    Returns:
        float32; sums are made in float64 in a fixed order, so they do not depend on the block.
    """
    if factor == (1, 1, 1):
        return np.ascontiguousarray(voxels, dtype=np.float32)
    z, y, x = (-(-n // f) for n, f in zip(voxels.shape, factor, strict=True))
    out = np.empty((z, y, x), np.float32)
    _bin(np.ascontiguousarray(voxels), np.asarray(factor), out)
    return out


def mirror(
    block: NDArray[np.float32], origin: Shape, start: Shape, stop: Shape, size: Shape
) -> NDArray[np.float32]:
    """Cut a box that may stick out of the volume, mirrored at its faces.

    Args:
        block: `zyx` part of the volume.
        origin: Where `block` starts.
        start: Start of the box wanted, may be negative.
        stop: Its end, may exceed `size`.
        size: Shape of the volume.
    """
    result = block
    for axis in range(3):
        indices = reflect_indices(start[axis], stop[axis], size[axis]) - origin[axis]
        steps = np.diff(indices)
        if indices.size and bool(np.all(steps == 1)):
            cut = [slice(None)] * 3
            cut[axis] = slice(int(indices[0]), int(indices[-1]) + 1)
            result = result[tuple(cut)]
        else:
            result = np.take(result, indices, axis=axis)
    return np.ascontiguousarray(result)


def _ceil(position: Shape, factor: Shape) -> Shape:
    z, y, x = (-(-p // f) for p, f in zip(position, factor, strict=True))
    return z, y, x


def spread_bins(
    bins: NDArray[Any], origin: Shape, factor: Shape, start: Shape, stop: Shape
) -> NDArray[Any]:
    """Give every voxel of a box the value of its bin.

    Args:
        bins: `zyx` values of bins.
        origin: The first of them.
        factor: Voxels per bin.
        start: First voxel of the box.
        stop: End of the box.
    """
    result = bins
    for axis in range(3):
        index = np.arange(start[axis], stop[axis]) // factor[axis] - origin[axis]
        if factor[axis] > 1 or index.size != result.shape[axis]:
            result = np.take(result, index, axis=axis)
    return np.ascontiguousarray(result)


@njit(cache=True, nogil=True)
def _bin(voxels: Any, factor: Any, out: Any) -> None:
    depth, height, width = voxels.shape
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                total = 0.0
                count = 0
                for k in range(z * factor[0], min(depth, (z + 1) * factor[0])):
                    for j in range(y * factor[1], min(height, (y + 1) * factor[1])):
                        for i in range(x * factor[2], min(width, (x + 1) * factor[2])):
                            total += np.float64(voxels[k, j, i])
                            count += 1
                out[z, y, x] = np.float32(total / count)
