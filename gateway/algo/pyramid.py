"""Reducing voxels to a coarser level: exact means of intensities, modes of labels."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Voxels = NDArray[Any]
Factor = tuple[int, int, int]
"""Voxels per coarser voxel along z, y, x."""
Grid = tuple[int, int, int, int, int]
"""Voxels along z, y, x, and the distance in memory from plane to plane and row to row."""

_SUM_DTYPES: dict[str, tuple[Any, ...]] = {
    "uint8": (np.uint16, np.uint32, np.uint64),
    "uint16": (np.uint32, np.uint64),
    "int16": (np.int32, np.int64),
    "float32": (np.float64,),
}
_LABEL_DTYPES = ("uint32", "uint64")


def reduce_mean(voxels: NDArray[Any], factor: Factor) -> NDArray[Any]:
    """Average windows of voxels, exactly rounded.

    Integers become the mean rounded half to even, so that no level is darker or brighter than
    the one before; `float32` is summed in `float64` and rounded once. A window at a far face
    that sticks out averages the voxels that exist.

    Args:
        voxels: `zyx`; uint8, uint16, int16 or float32.
        factor: Window size, zyx, each at least 1.

    Returns:
        The means: `ceil(shape / factor)` voxels of the same dtype, C-contiguous.

    Raises:
        TypeError: The dtype has no mean here.
        ValueError: `voxels` is empty or not three-dimensional, or a factor is below 1.
    """
    if voxels.dtype.name not in _SUM_DTYPES:
        raise TypeError(f"no mean of {voxels.dtype}; expected one of {', '.join(_SUM_DTYPES)}")
    _check(voxels, factor)
    if factor == (1, 1, 1):
        return np.array(voxels, order="C")
    fz, fy, fx = factor
    rest = voxels.shape[2] % fx
    whole = voxels.shape[2] - rest
    if rest == 0:
        return _mean(voxels, factor)
    last = _mean(voxels[:, :, whole:], (fz, fy, rest))
    if whole == 0:
        return last
    return np.concatenate([_mean(voxels[:, :, :whole], factor), last], axis=2)


def reduce_mode(voxels: NDArray[Any], factor: Factor) -> NDArray[Any]:
    """Take the most frequent label of each window.

    Zero is a label like any other, but where labels are equally frequent a non-zero one wins
    over zero, so that thin objects persist, and of the non-zero ones the smallest. A window at
    a far face that sticks out counts the voxels that exist.

    Args:
        voxels: `zyx`; uint32 or uint64.
        factor: Window size, zyx, each at least 1.

    Returns:
        The modes: `ceil(shape / factor)` voxels of the same dtype, C-contiguous.

    Raises:
        TypeError: The dtype is not one of labels.
        ValueError: `voxels` is empty or not three-dimensional, or a factor is below 1.
    """
    if voxels.dtype.name not in _LABEL_DTYPES:
        raise TypeError(f"no mode of {voxels.dtype}; expected one of {', '.join(_LABEL_DTYPES)}")
    _check(voxels, factor)
    modes = np.empty(_coarse_shape(voxels, factor), voxels.dtype)
    window = np.empty(math.prod(factor), voxels.dtype)
    _mode(*_flatten(voxels), modes, window, factor)
    return modes


def _mean(voxels: Voxels, factor: Factor) -> Voxels:
    """Average windows of whole rows: the last axis is a multiple of its factor."""
    means = np.empty(_coarse_shape(voxels, factor), voxels.dtype)
    sums: Voxels = np.empty(voxels.shape[2], _sum_dtype(voxels.dtype, math.prod(factor)))
    kernel = _mean_floats if voxels.dtype.kind == "f" else _mean_integers
    kernel(*_flatten(voxels), means, sums, factor)
    return means


def _check(voxels: NDArray[Any], factor: Factor) -> None:
    if voxels.ndim != 3 or voxels.size == 0 or min(factor) < 1:  # noqa: PLR2004 - zyx
        raise ValueError(
            f"voxels of shape {voxels.shape} cannot be reduced by {factor}; "
            "expected zyx, not empty, and factors of at least 1"
        )


def _coarse_shape(voxels: NDArray[Any], factor: Factor) -> Factor:
    z, y, x = (-(-n // f) for n, f in zip(voxels.shape, factor, strict=True))
    return (z, y, x)


def _flatten(voxels: Voxels) -> tuple[Voxels, Grid]:
    """Return memory that the compiler knows to be contiguous, and where the rows lie in it.

    The rows of a view into a larger array are contiguous; told so, loops over them become
    vector instructions without a copy.
    """
    size = voxels.itemsize
    rows_are_whole = voxels.strides[2] == size and min(voxels.strides) > 0
    if not rows_are_whole or any(step % size for step in voxels.strides):
        voxels = np.ascontiguousarray(voxels)
    steps = (voxels.strides[0] // size, voxels.strides[1] // size)
    nz, ny, nx = voxels.shape
    span = (nz - 1) * steps[0] + (ny - 1) * steps[1] + nx
    flat = np.lib.stride_tricks.as_strided(voxels, (span,), (size,), writeable=False)
    return flat, (nz, ny, nx, *steps)


def _sum_dtype(dtype: np.dtype[Any], window: int) -> Any:
    """Return the narrowest dtype that holds the sum of a window: narrow ones run fastest."""
    known = _SUM_DTYPES[dtype.name]
    if dtype.kind == "f":
        return known[0]
    largest = window * (int(np.iinfo(dtype).max) + 1)
    return next(candidate for candidate in known if np.iinfo(candidate).max >= largest)


@njit(cache=True, nogil=True)
def _sum_rows(flat: Voxels, grid: Grid, window: tuple[int, int, int, int], sums: Voxels) -> None:
    """Sum the rows of a window, column by column; narrow sums make wide vectors."""
    _, _, nx, plane, line = grid
    z0, z1, y0, y1 = window
    for z in range(z0, z1):
        for y in range(y0, y1):
            start = z * plane + y * line
            row = flat[start : start + nx]
            if z == z0 and y == y0:
                for x in range(nx):
                    sums[x] = row[x]
            else:
                for x in range(nx):
                    sums[x] += row[x]


@njit(cache=True, nogil=True)
def _sum_columns(sums: Voxels, factor: int, full: int) -> None:
    """Sum runs of `factor` columns in place: the first `full` entries become window sums."""
    if factor == 1:
        return
    for x in range(full):
        total = sums[x * factor]
        for i in range(1, factor):
            total += sums[x * factor + i]
        sums[x] = total


@njit(cache=True, nogil=True)
def _log2(count: int) -> int:
    """Return the exponent of a power of two, and -1 of any other number."""
    shift = 0
    while (1 << shift) < count:
        shift += 1
    return shift if (1 << shift) == count else -1


@njit(cache=True, nogil=True)
def _round_pairs(sums: Voxels, out: Voxels, shift: int) -> None:
    """Add pairs of columns and divide by 2 to the `shift`, half to even."""
    kind = sums.dtype.type
    below_half, one, bits = kind((1 << shift) // 2 - 1), kind(1), kind(shift)
    for x in range(out.shape[0]):
        total = sums[2 * x] + sums[2 * x + 1]
        out[x] = (total + below_half + ((total >> bits) & one)) >> bits


@njit(cache=True, nogil=True)
def _round_sums(sums: Voxels, out: Voxels, count: int) -> None:
    """Divide by `count`, half to even; shifts where it is a power of two."""
    kind = sums.dtype.type
    shift = _log2(count)
    if count == 1:
        for x in range(out.shape[0]):
            out[x] = sums[x]
    elif shift > 0:
        below_half, one, bits = kind(count // 2 - 1), kind(1), kind(shift)
        for x in range(out.shape[0]):
            total = sums[x]
            out[x] = (total + below_half + ((total >> bits) & one)) >> bits
    else:
        whole, one = kind(count), kind(1)
        for x in range(out.shape[0]):
            quotient = sums[x] // whole
            rest = sums[x] - quotient * whole
            above = rest > whole - rest
            tie = rest == whole - rest
            out[x] = quotient + (one if above or (tie and quotient & one) else kind(0))


@njit(cache=True, nogil=True)
def _mean_integers(flat: Voxels, grid: Grid, means: Voxels, sums: Voxels, factor: Factor) -> None:
    (nz, ny, _, _, _), (fz, fy, fx) = grid, factor
    for z in range(means.shape[0]):
        z1 = min(nz, (z + 1) * fz)
        for y in range(means.shape[1]):
            y1 = min(ny, (y + 1) * fy)
            count = (z1 - z * fz) * (y1 - y * fy) * fx
            _sum_rows(flat, grid, (z * fz, z1, y * fy, y1), sums)
            shift = _log2(count)
            if fx == 2 and shift > 0:  # noqa: PLR2004 - the common case, in one sweep
                _round_pairs(sums, means[z, y], shift)
            else:
                _sum_columns(sums, fx, means.shape[2])
                _round_sums(sums, means[z, y], count)


@njit(cache=True, nogil=True)
def _mean_floats(flat: Voxels, grid: Grid, means: Voxels, sums: Voxels, factor: Factor) -> None:
    (nz, ny, _, _, _), (fz, fy, fx) = grid, factor
    for z in range(means.shape[0]):
        z1 = min(nz, (z + 1) * fz)
        for y in range(means.shape[1]):
            y1 = min(ny, (y + 1) * fy)
            count = (z1 - z * fz) * (y1 - y * fy) * fx
            _sum_rows(flat, grid, (z * fz, z1, y * fy, y1), sums)
            _sum_columns(sums, fx, means.shape[2])
            out = means[z, y]
            for x in range(out.shape[0]):
                out[x] = sums[x] / count


@njit(cache=True, nogil=True)
def _mode(flat: Voxels, grid: Grid, modes: Voxels, window: Voxels, factor: Factor) -> None:
    (nz, ny, nx, plane, line), (fz, fy, fx) = grid, factor
    paired = fz == 2 and fy == 2 and fx == 2  # noqa: PLR2004 - the common case
    for z in range(modes.shape[0]):
        z1 = min(nz, (z + 1) * fz)
        for y in range(modes.shape[1]):
            y1 = min(ny, (y + 1) * fy)
            done = 0
            if paired and z1 - z * fz == 2 and y1 - y * fy == 2:  # noqa: PLR2004 - whole
                start, done = 2 * z * plane + 2 * y * line, nx // 2
                rows = (
                    flat[start : start + nx],
                    flat[start + line : start + line + nx],
                    flat[start + plane : start + plane + nx],
                    flat[start + plane + line : start + plane + line + nx],
                )
                _mode_pairs(rows, modes[z, y, :done], window)
            for x in range(done, modes.shape[2]):
                count = 0
                for k in range(z * fz, z1):
                    for j in range(y * fy, y1):
                        start = k * plane + j * line
                        for i in range(start + x * fx, start + min(nx, (x + 1) * fx)):
                            window[count] = flat[i]
                            count += 1
                modes[z, y, x] = _most_frequent(window, count)


@njit(cache=True, nogil=True)
def _mode_pairs(rows: tuple[Voxels, Voxels, Voxels, Voxels], out: Voxels, window: Voxels) -> None:
    """Take the modes of windows of 2x2x2 from four rows; most hold one label alone."""
    a, b, c, d = rows
    for x in range(out.shape[0]):
        i, first = 2 * x, a[2 * x]
        differ = (a[i + 1] ^ first) | (b[i] ^ first) | (b[i + 1] ^ first) | (c[i] ^ first)
        if differ | (c[i + 1] ^ first) | (d[i] ^ first) | (d[i + 1] ^ first) == 0:
            out[x] = first
            continue
        window[0], window[1], window[2], window[3] = first, a[i + 1], b[i], b[i + 1]
        window[4], window[5], window[6], window[7] = c[i], c[i + 1], d[i], d[i + 1]
        out[x] = _most_frequent(window, 8)


@njit(cache=True, nogil=True)
def _most_frequent(window: Voxels, count: int) -> Any:
    best, best_count = window[0], 0
    for i in range(count):
        if best_count > count - i:  # no label that first comes here can be as frequent
            break
        label, same = window[i], 0
        if i and label == best:
            continue
        for j in range(i, count):
            same += window[j] == label
        # Zero less one wraps to the largest number: it loses every tie.
        wins = same == best_count and label - window.dtype.type(1) < best - window.dtype.type(1)
        if same > best_count or wins:
            best, best_count = label, same
    return best
