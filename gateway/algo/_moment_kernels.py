"""Loops over voxels that count, place and sum the voxels of each label, in whole numbers only."""

from typing import Any

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def number_labels(labels: Any, index: Any) -> Any:
    """Number the labels of a block from 1 as they come; 0 stays 0.

    Args:
        labels: `zyx`, unsigned.
        index: Filled with the number of each voxel's label.

    Returns:
        The labels, by number less one.
    """
    bits = 10
    keys = np.zeros(1 << bits, np.uint64)
    numbers = np.zeros(1 << bits, np.uint32)
    found = np.empty(1 << (bits - 1), np.uint64)
    count = 0
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            x = 0
            while x < labels.shape[2]:
                x, count = _number_row(
                    labels[z, y], index[z, y], x, keys, numbers, found, count, bits
                )
                if x < labels.shape[2]:
                    bits += 1
                    keys, numbers, found = _grow(found, bits)
    return found[:count].copy()


# A function of its own: where tables are replaced in a loop, numba counts references in it.
@njit(cache=True, nogil=True)
def _number_row(  # noqa: PLR0917 - kernels take no keywords
    labels: Any, index: Any, x: int, keys: Any, numbers: Any, found: Any, count: int, bits: int
) -> Any:
    """Number a row from x on; stops early, at a new label, where the table is full."""
    while x < labels.shape[0]:
        label = labels[x]
        number = np.uint32(0)
        if label != 0:
            place = _find(keys, np.uint64(label), bits)
            if keys[place] == 0:
                if count == len(found):
                    break
                found[count] = label
                count += 1
                keys[place] = label
                numbers[place] = count
            number = numbers[place]
        while x < labels.shape[0] and labels[x] == label:
            index[x] = number
            x += 1
    return x, count


@njit(cache=True, nogil=True)
def _find(keys: Any, label: Any, bits: int) -> Any:
    """Return where a label is in the hash table, or where it belongs."""
    mask = len(keys) - 1
    place = np.int64((label * _GOLDEN) >> np.uint64(64 - bits))
    while keys[place] != 0 and keys[place] != label:
        place = (place + 1) & mask
    return place


@njit(cache=True, nogil=True)
def _grow(found: Any, bits: int) -> Any:
    """Make a table of twice the size, never more than half full, with the labels so far."""
    keys = np.zeros(1 << bits, np.uint64)
    numbers = np.zeros(1 << bits, np.uint32)
    more = np.empty(1 << (bits - 1), np.uint64)
    for i in range(len(found)):
        more[i] = found[i]
        place = _find(keys, found[i], bits)
        keys[place] = found[i]
        numbers[place] = i + 1
    return keys, numbers, more


@njit(cache=True, nogil=True)
def sum_places(index: Any, origin: Any, voxels: Any, sums: Any, bounds: Any) -> None:
    """Add the voxels of each number: how many, the sum of their places, and their bounds.

    Args:
        index: Numbers of labels, `zyx`.
        origin: Where the block starts in the volume.
        voxels: Per number, counted up.
        sums: Per number, sums of z, y and x.
        bounds: Per number, the smallest place seen and the largest plus one, (n, 2, 3).
    """
    for z in range(index.shape[0]):
        for y in range(index.shape[1]):
            x = 0
            while x < index.shape[2]:
                number = index[z, y, x]
                first = x
                while x < index.shape[2] and index[z, y, x] == number:
                    x += 1
                if number > 0:
                    start = (origin[0] + z, origin[1] + y, origin[2] + first)
                    _add_run(number - 1, start, x - first, voxels, sums, bounds)


@njit(cache=True, nogil=True)
def _add_run(  # noqa: PLR0917 - likewise
    row: int, start: Any, n: int, voxels: Any, sums: Any, bounds: Any
) -> None:
    voxels[row] += n
    sums[row, 0] += start[0] * n
    sums[row, 1] += start[1] * n
    sums[row, 2] += start[2] * n + n * (n - 1) // 2
    size = (1, 1, n)
    for axis in range(3):
        last = start[axis] + size[axis]
        bounds[row, 0, axis] = min(bounds[row, 0, axis], start[axis])
        bounds[row, 1, axis] = max(bounds[row, 1, axis], last)


@njit(cache=True, nogil=True)
def sum_powers(index: Any, counts: Any, powers: Any) -> None:
    """Add the first four powers of the intensities of each number, exactly.

    Args:
        index: Numbers of labels, `zyx`.
        counts: Intensities as unsigned integers below 2**20.
        powers: Per number and power, a 128-bit sum as two uint64, the low one first.
    """
    for z in range(index.shape[0]):
        for y in range(index.shape[1]):
            x = 0
            while x < index.shape[2]:
                number = index[z, y, x]
                if number == 0:
                    x += 1
                    continue
                one = two = np.uint64(0)
                three = three_high = four = four_high = np.uint64(0)
                while x < index.shape[2] and index[z, y, x] == number:
                    value = np.uint64(counts[z, y, x])
                    square = value * value
                    one += value
                    two += square
                    cube = square * value
                    three += cube
                    three_high += _ONE if three < cube else np.uint64(0)
                    # The fourth power has up to 80 bits: (a 2^32 + b)^2, a below 2^8.
                    a = square >> _HALF
                    b = square & _LOW
                    low = b * b
                    middle = a * b << _ONE
                    part = low + (middle << _HALF)
                    four_high += a * a + (middle >> _HALF) + (_ONE if part < low else np.uint64(0))
                    four += part
                    four_high += _ONE if four < part else np.uint64(0)
                    x += 1
                row = number - 1
                _add(powers, row, 0, one, np.uint64(0))
                _add(powers, row, 1, two, np.uint64(0))
                _add(powers, row, 2, three, three_high)
                _add(powers, row, 3, four, four_high)


@njit(cache=True, nogil=True)
def _add(powers: Any, row: int, power: int, low: Any, high: Any) -> None:
    before = powers[row, power, 0]
    powers[row, power, 0] = before + low
    carry = _ONE if powers[row, power, 0] < before else np.uint64(0)
    powers[row, power, 1] += high + carry


@njit(cache=True, nogil=True)
def quantise_floats(voxels: Any, low: float, scale: float, counts: Any) -> None:
    """Round `(voxel - low) * scale` half up, in float64, into `counts`."""
    for z in range(voxels.shape[0]):
        for y in range(voxels.shape[1]):
            for x in range(voxels.shape[2]):
                scaled = (np.float64(voxels[z, y, x]) - low) * scale
                counts[z, y, x] = np.uint32(np.floor(scaled + 0.5))
