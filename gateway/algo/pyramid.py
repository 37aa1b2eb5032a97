"""Reducing voxels to a coarser level: exact means of intensities, modes of labels."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Voxels = NDArray[Any]
Factor = tuple[int, int, int]
"""Voxels per coarser voxel along z, y, x."""

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
        ValueError: `voxels` is not three-dimensional or a factor is below 1.
    """
    if voxels.dtype.name not in _SUM_DTYPES:
        raise TypeError(f"no mean of {voxels.dtype}; expected one of {', '.join(_SUM_DTYPES)}")
    coarse = _coarse_shape(voxels, factor)
    if factor == (1, 1, 1):
        return np.array(voxels, order="C")
    means = np.empty(coarse, voxels.dtype)
    sums: Voxels = np.empty(voxels.shape[2], _sum_dtype(voxels.dtype, math.prod(factor)))
    source = voxels if voxels.strides[2] == voxels.itemsize else np.ascontiguousarray(voxels)
    kernel = _mean_floats if voxels.dtype.kind == "f" else _mean_integers
    kernel(source, means, sums, factor)
    return means


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
        ValueError: `voxels` is not three-dimensional or a factor is below 1.
    """
    if voxels.dtype.name not in _LABEL_DTYPES:
        raise TypeError(f"no mode of {voxels.dtype}; expected one of {', '.join(_LABEL_DTYPES)}")
    modes = np.empty(_coarse_shape(voxels, factor), voxels.dtype)
    window = np.empty(math.prod(factor), voxels.dtype)
    _mode(voxels, modes, window, factor)
    return modes


def _coarse_shape(voxels: NDArray[Any], factor: Factor) -> Factor:
    if voxels.ndim != 3 or min(factor) < 1:  # noqa: PLR2004 - zyx
        raise ValueError(
            f"voxels of shape {voxels.shape} cannot be reduced by {factor}; "
            "expected zyx and factors of at least 1"
        )
    z, y, x = (-(-n // f) for n, f in zip(voxels.shape, factor, strict=True))
    return (z, y, x)


def _sum_dtype(dtype: np.dtype[Any], window: int) -> Any:
    """Return the narrowest dtype that holds the sum of a window: narrow ones run fastest."""
    known = _SUM_DTYPES[dtype.name]
    if dtype.kind == "f":
        return known[0]
    largest = window * (int(np.iinfo(dtype).max) + 1)
    return next(candidate for candidate in known if np.iinfo(candidate).max >= largest)


@njit(cache=True, nogil=True)
def _sum_rows(rows: Voxels, sums: Voxels) -> None:
    """Sum the rows of a window, column by column; narrow sums make wide vectors."""
    for z in range(rows.shape[0]):
        for y in range(rows.shape[1]):
            row = rows[z, y]
            if z == 0 and y == 0:
                for x in range(row.shape[0]):
                    sums[x] = row[x]
            else:
                for x in range(row.shape[0]):
                    sums[x] += row[x]


@njit(cache=True, nogil=True)
def _sum_columns(sums: Voxels, factor: int, full: int) -> None:
    """Sum runs of `factor` columns in place: the first `full` entries become window sums."""
    if factor == 2:  # noqa: PLR2004 - the compiler makes one interleaved load of it
        for x in range(full):
            sums[x] = sums[2 * x] + sums[2 * x + 1]
    elif factor > 1:
        for x in range(full):
            total = sums[x * factor]
            for i in range(1, factor):
                total += sums[x * factor + i]
            sums[x] = total


@njit(cache=True, nogil=True)
def _round_sums(sums: Voxels, out: Voxels, count: int) -> None:
    """Divide by `count`, half to even; shifts where it is a power of two."""
    kind = sums.dtype.type
    shift = 0
    while (1 << shift) < count:
        shift += 1
    if count == 1:
        for x in range(out.shape[0]):
            out[x] = sums[x]
    elif (1 << shift) == count:
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
def _mean_integers(voxels: Voxels, means: Voxels, sums: Voxels, factor: Factor) -> None:
    (nz, ny, nx), (fz, fy, fx) = voxels.shape, factor
    full, wide = nx // fx, means.shape[2]
    for z in range(means.shape[0]):
        z1 = min(nz, (z + 1) * fz)
        for y in range(means.shape[1]):
            y1 = min(ny, (y + 1) * fy)
            rows = (z1 - z * fz) * (y1 - y * fy)
            _sum_rows(voxels[z * fz : z1, y * fy : y1], sums)
            last = sums[nx - 1]
            for x in range(full * fx, nx - 1):
                last += sums[x]
            _sum_columns(sums, fx, full)
            _round_sums(sums, means[z, y, :full], rows * fx)
            if wide > full:
                sums[full] = last
                _round_sums(sums[full:], means[z, y, full:], rows * (nx - full * fx))


@njit(cache=True, nogil=True)
def _mean_floats(voxels: Voxels, means: Voxels, sums: Voxels, factor: Factor) -> None:
    (nz, ny, nx), (fz, fy, fx) = voxels.shape, factor
    full, wide = nx // fx, means.shape[2]
    for z in range(means.shape[0]):
        z1 = min(nz, (z + 1) * fz)
        for y in range(means.shape[1]):
            y1 = min(ny, (y + 1) * fy)
            rows = (z1 - z * fz) * (y1 - y * fy)
            _sum_rows(voxels[z * fz : z1, y * fy : y1], sums)
            last = 0.0
            for x in range(full * fx, nx):
                last += sums[x]
            _sum_columns(sums, fx, full)
            out = means[z, y]
            for x in range(full):
                out[x] = sums[x] / (rows * fx)
            if wide > full:
                out[full] = last / (rows * (nx - full * fx))


@njit(cache=True, nogil=True)
def _mode(voxels: Voxels, modes: Voxels, window: Voxels, factor: Factor) -> None:
    (nz, ny, nx), (fz, fy, fx) = voxels.shape, factor
    for z in range(modes.shape[0]):
        z1 = min(nz, (z + 1) * fz)
        for y in range(modes.shape[1]):
            y1 = min(ny, (y + 1) * fy)
            for x in range(modes.shape[2]):
                count = 0
                same = True
                for k in range(z * fz, z1):
                    for j in range(y * fy, y1):
                        for i in range(x * fx, min(nx, (x + 1) * fx)):
                            window[count] = voxels[k, j, i]
                            same &= window[count] == window[0]
                            count += 1
                modes[z, y, x] = window[0] if same else _most_frequent(window, count)


@njit(cache=True, nogil=True)
def _most_frequent(window: Voxels, count: int) -> Any:
    best, best_count = window[0], 0
    for i in range(count):
        label, same = window[i], 0
        for j in range(count):
            same += window[j] == label
        # Zero less one wraps to the largest number: it loses every tie.
        wins = same == best_count and label - window.dtype.type(1) < best - window.dtype.type(1)
        if same > best_count or wins:
            best, best_count = label, same
    return best
