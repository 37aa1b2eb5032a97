"""Separable Gaussian filters whose every voxel is the same sum whatever block it is computed in."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Kernels = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Half kernels for z, y, x: centre first."""

TRUNCATE = 3.0
"""Kernels end at this many standard deviations."""


def half_kernel(sigma: float) -> NDArray[np.float32]:
    """Return the centre and one side of a normalised Gaussian.

    Args:
        sigma: Standard deviation in voxels; 0 gives the identity.

    Returns:
        Weights at distance 0, 1, ... voxels, `1 + ceil(3 sigma - 0.5)` of them.
    """
    if sigma <= 0:
        return np.ones(1, np.float32)
    radius = max(1, math.ceil(TRUNCATE * sigma - 0.5))
    weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    return weights.astype(np.float32)


def half_kernels(sigma_um: float, voxel_um: tuple[float, float, float]) -> Kernels:
    """Return the three half kernels of a Gaussian that is round in micrometres."""
    z, y, x = (half_kernel(sigma_um / v) for v in voxel_um)
    return z, y, x


def support(kernels: Kernels) -> tuple[int, int, int]:
    """Return how many voxels beyond an output voxel the kernels read, zyx."""
    z, y, x = (len(k) - 1 for k in kernels)
    return z, y, x


def dot(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the inner product of two whole kernels given by their halves."""
    n = min(len(first), len(second))
    product = first[:n].astype(np.float64) * second[:n]
    return float(product[0] + 2 * product[1:].sum())


def reflect_indices(start: int, stop: int, size: int) -> NDArray[np.intp]:
    """Map coordinates that may lie outside an axis to inside it, by mirrors at both faces.

    Args:
        start: First coordinate, may be negative.
        stop: End of the coordinates, may exceed `size`.
        size: Length of the axis; voxel -1 mirrors voxel 0.
    """
    folded = np.arange(start, stop) % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded).astype(np.intp)


def smooth_valid(padded: NDArray[np.float32], kernels: Kernels) -> NDArray[np.float32]:
    """Filter an array, keeping the voxels whose whole support lies inside it.

    Args:
        padded: `zyx`, float32, with at least `support(kernels)` voxels on every side.
        kernels: Half kernels of the three axes.

    Returns:
        float32, smaller than `padded` by the support on every side.
    """
    result: Any = padded
    for axis, (filter_axis, weights) in enumerate(
        zip((_along_z, _along_y, _along_x), kernels, strict=True)
    ):
        if len(weights) > 1:
            shape = list(result.shape)
            shape[axis] -= 2 * (len(weights) - 1)
            out = np.empty(shape, np.float32)
            filter_axis(np.ascontiguousarray(result), weights, out)
            result = out
    return np.asarray(result, np.float32)


@njit(cache=True, nogil=True)
def _along_z(source: Any, weights: Any, out: Any) -> None:
    radius = weights.size - 1
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            row = out[z, y]
            centre = source[z + radius, y]
            for x in range(row.size):
                row[x] = weights[0] * centre[x]
            for k in range(1, radius + 1):
                low, high, weight = source[z + radius - k, y], source[z + radius + k, y], weights[k]
                for x in range(row.size):
                    row[x] += weight * (low[x] + high[x])


@njit(cache=True, nogil=True)
def _along_y(source: Any, weights: Any, out: Any) -> None:
    radius = weights.size - 1
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            row = out[z, y]
            centre = source[z, y + radius]
            for x in range(row.size):
                row[x] = weights[0] * centre[x]
            for k in range(1, radius + 1):
                low, high, weight = source[z, y + radius - k], source[z, y + radius + k], weights[k]
                for x in range(row.size):
                    row[x] += weight * (low[x] + high[x])


@njit(cache=True, nogil=True)
def _along_x(source: Any, weights: Any, out: Any) -> None:
    radius = weights.size - 1
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            row = out[z, y]
            line = source[z, y]
            for x in range(row.size):
                row[x] = weights[0] * line[x + radius]
            for k in range(1, radius + 1):
                weight = weights[k]
                for x in range(row.size):
                    row[x] += weight * (line[x + radius - k] + line[x + radius + k])
