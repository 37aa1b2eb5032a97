"""Loops over the maxima of a response: finding them, parting them, measuring around them."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

STEPS = 8
"""Samples along a ray of one diameter."""
CORE = 2
"""Samples from the centre to where the inside of an object is judged: a quarter diameter."""
MIDDLE = 2
"""Axes that must count for a second curvature to be there."""


@njit(cache=True, nogil=True)
def find_maxima(response: Any, origin: Any, size: Any) -> Any:
    """Return the voxels, shape (n, 3), that no neighbour of 26 inside the volume exceeds.

    Of equal neighbours the one that comes first in the volume stays. The outermost voxels of
    the array are not looked at, nor is what lies outside the volume or is not positive.
    """
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for axis in range(3):
        low[axis] = max(1, -origin[axis])
        high[axis] = min(response.shape[axis] - 1, size[axis] - origin[axis])
    found = np.empty((1024, 3), np.int64)
    count = 0
    for z in range(low[0], high[0]):
        for y in range(low[1], high[1]):
            row = response[z, y]
            for x in range(low[2], high[2]):
                value = row[x]
                if value <= 0 or (x > low[2] and row[x - 1] >= value):
                    continue
                if _is_first(response, (z, y, x), origin, size):
                    if count == found.shape[0]:
                        grown = np.empty((2 * count, 3), np.int64)
                        grown[:count] = found
                        found = grown
                    found[count, 0], found[count, 1], found[count, 2] = z, y, x
                    count += 1
    return found[:count].copy()


@njit(cache=True, nogil=True)
def _is_first(response: Any, at: Any, origin: Any, size: Any) -> bool:
    z, y, x = at
    value = response[z, y, x]
    for k in range(z - 1, z + 2):
        if k + origin[0] < 0 or k + origin[0] >= size[0]:
            continue
        for j in range(y - 1, y + 2):
            if j + origin[1] < 0 or j + origin[1] >= size[1]:
                continue
            for i in range(x - 1, x + 2):
                if i + origin[2] < 0 or i + origin[2] >= size[2]:
                    continue
                other = response[k, j, i]
                if other > value:
                    return False
                before = k < z or (k == z and (j < y or (j == y and i < x)))
                if before and other == value:
                    return False
    return True


@njit(cache=True, nogil=True)
def _at(field: Any, where: Any, offset: Any) -> float:
    """Interpolate at a voxel plus an offset; the same bits wherever the array starts."""
    total = 0.0
    whole = np.floor(offset)
    part = offset - whole
    for corner in range(8):
        weight = 1.0
        z, y, x = where[0] + int(whole[0]), where[1] + int(whole[1]), where[2] + int(whole[2])
        if corner & 4:
            z += 1
            weight *= part[0]
        else:
            weight *= 1 - part[0]
        if corner & 2:
            y += 1
            weight *= part[1]
        else:
            weight *= 1 - part[1]
        if corner & 1:
            x += 1
            weight *= part[2]
        else:
            weight *= 1 - part[2]
        if weight > 0:
            total += weight * field[z, y, x]
    return total


@njit(cache=True, nogil=True)
def _beats(where: Any, strength: Any, scale: Any, m: int, n: int) -> bool:
    if strength[m] != strength[n]:
        return bool(strength[m] > strength[n])
    if scale[m] != scale[n]:
        return bool(scale[m] < scale[n])
    for axis in range(3):
        if where[m, axis] != where[n, axis]:
            return bool(where[m, axis] < where[n, axis])
    return False


@njit(cache=True, nogil=True)
def keep_strongest(  # noqa: PLR0917 - kernels take no keywords
    where: Any, strength: Any, scale: Any, voxel_um: Any, radius_um: Any, near: Any
) -> Any:
    """Say which maxima have no stronger one within the sum of their radii.

    Equals are told apart by scale and then by position, so the answer does not depend on order.

    Args:
        where: Voxels of the maxima, shape (n, 3).
        strength: Their responses.
        scale: Index of the scale each was found at.
        voxel_um: Voxel size; 0 for an axis that does not count.
        radius_um: Radius at each scale.
        near: Voxels per axis that hold the greatest sum of radii, an upper bound.
    """
    cells = np.ones(3, np.int64)
    alone = np.ones(len(where), np.bool_)
    if len(where) == 0:
        return alone
    for axis in range(3):
        cells[axis] = where[:, axis].max() // near[axis] + 1
    cell = np.empty(len(where), np.int64)
    starts = np.zeros(cells[0] * cells[1] * cells[2] + 1, np.int64)
    for n in range(len(where)):
        a, b, c = where[n, 0] // near[0], where[n, 1] // near[1], where[n, 2] // near[2]
        cell[n] = (a * cells[1] + b) * cells[2] + c
        starts[cell[n] + 1] += 1
    starts = np.cumsum(starts)
    order = np.argsort(cell, kind="mergesort")
    for n in range(len(where)):
        a, b, c = where[n, 0] // near[0], where[n, 1] // near[1], where[n, 2] // near[2]
        for i in range(max(0, a - 1), min(cells[0], a + 2)):
            for j in range(max(0, b - 1), min(cells[1], b + 2)):
                row = (i * cells[1] + j) * cells[2]
                first, last = starts[row + max(0, c - 1)], starts[row + min(cells[2], c + 2)]
                for m in order[first:last]:
                    if alone[n] and m != n and _beats(where, strength, scale, m, n):
                        gap = (where[m] - where[n]) * voxel_um
                        reach = radius_um[scale[m]] + radius_um[scale[n]]
                        alone[n] = (gap * gap).sum() > reach * reach
    return alone


@njit(cache=True, nogil=True)
def shoot_rays(field: Any, where: Any, steps: Any) -> Any:
    """Measure the surroundings of each point along rays.

    Args:
        field: A smoothed block; a ray that comes to NaN stays at the value before.
        where: Points, shape (n, 3).
        steps: Offset in voxels of one sample of each ray, shape (rays, 3); `STEPS` samples each.

    Returns:
        Shape (n, 3): the background (the lower quartile over rays of the lowest sample), the
        mean over rays of how many samples away the field falls to half its height, and the mean
        `CORE` samples away.
    """
    out = np.empty((len(where), 3), np.float64)
    profile = np.empty((len(steps), STEPS + 1), np.float64)
    lowest = np.empty(len(steps), np.float64)
    for n in range(len(where)):
        for r in range(len(steps)):
            lowest[r] = np.inf
            for k in range(STEPS + 1):
                profile[r, k] = _at(field, where[n], steps[r] * k)
                if k and np.isnan(profile[r, k]):
                    profile[r, k] = profile[r, k - 1]
                lowest[r] = min(lowest[r], profile[r, k])
        ground = np.sort(lowest)[len(steps) // 4]
        half = (profile[0, 0] + ground) / 2
        total = core = 0.0
        for r in range(len(steps)):
            core += profile[r, CORE]
            reach = np.float64(STEPS)
            for k in range(1, STEPS + 1):
                if profile[r, k] < half:
                    fall = profile[r, k - 1] - profile[r, k]
                    reach = k - 1 + (profile[r, k - 1] - half) / fall
                    break
            total += reach
        out[n, 0], out[n, 1], out[n, 2] = ground, total / len(steps), core / len(steps)
    return out


def shape_at(
    response: NDArray[np.float32], where: NDArray[np.int64], scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the parabola through each maximum peaks, and how round the maximum is.

    Args:
        response: The filtered block.
        where: Maxima, shape (n, 3).
        scale: Voxel size per axis; 0 for an axis that does not count.

    Returns:
        Offsets in voxels, shape (n, 3), within half a voxel; and the second largest curvature
        over the largest, near 0 for the edge of a plate, 1 for a ball or a rod.
    """
    used = [axis for axis in range(3) if scale[axis] > 0]
    hessian = np.zeros((len(where), len(used), len(used)))
    offsets = np.zeros((len(where), 3))
    centre = _moved(response, where, ())
    for i, a in enumerate(used):
        up, down = _moved(response, where, ((a, 1),)), _moved(response, where, ((a, -1),))
        bend = up - 2 * centre + down
        safe = np.where(bend < 0, bend, -1.0)
        peak = np.clip((down - up) / 2 / safe, -0.5, 0.5)
        offsets[:, a] = np.where(bend < 0, peak, 0.0)
        hessian[:, i, i] = bend / scale[a] ** 2
        for j, b in enumerate(used[:i]):
            mixed = np.zeros(len(where))
            for p, q in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                mixed += p * q * _moved(response, where, ((a, p), (b, q)))
            hessian[:, i, j] = hessian[:, j, i] = mixed / 4 / (scale[a] * scale[b])
    if len(used) < MIDDLE or not len(where):
        return offsets, np.ones(len(where))
    bends = -np.linalg.eigvalsh(hessian)
    return offsets, bends[:, 1] / np.where(bends[:, 0] > 0, bends[:, 0], 1.0)


def _moved(
    response: NDArray[np.float32], where: NDArray[np.int64], moves: tuple[tuple[int, int], ...]
) -> NDArray[np.float64]:
    at = where.copy()
    for axis, move in moves:
        at[:, axis] += move
    return np.asarray(response[at[:, 0], at[:, 1], at[:, 2]], np.float64)
