"""How noisy a volume is at each grey level, from counts that blocks can add up exactly."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

LEVELS = 4096
"""Bins of grey level: the upper 12 bits of an order-preserving float32 code, 8 per octave."""
DEPARTURES = 512
"""Bins of departure: 4 per octave from 2^-64 to 2^64; bin 0 also holds zero."""
SIZES = 2048
"""Bins of `count_sizes` for each sign."""
ALONG_X = 2
POOLED = 5
"""Neighbouring grey levels that are judged together."""
FEWEST = 64
"""Voxels a grey level needs to have a noise of its own."""
_GAUSS = 1.2533141373155003  # standard deviation over mean absolute value


def survey(padded: NDArray[np.float32], start: tuple[int, int, int], axis: int) -> dict[str, Any]:
    """Count departures from a straight line by local grey level.

    A second difference of neighbours is blind to background and slopes and keeps the noise.
    Every second plane and row is looked at, by position in the volume.

    Args:
        padded: `zyx` block with one more voxel on every side; NaN where there is no data, and no
            voxel next to it is counted.
        start: Position of the block (without that voxel) in the volume.
        axis: Axis of the difference; the block holds no first or last voxel of the volume on it.

    Returns:
        `key` (level * `DEPARTURES` + departure), sorted, and `count`, both int64.
    """
    inner = padded[1:-1, 1:-1, 1:-1]
    if inner.size == 0:
        return {"key": np.zeros(0, np.int64), "count": np.zeros(0, np.int64)}
    # a rounded mean may fall one bin outside what it is the mean of
    least, most = padded.min(), padded.max()
    if np.isnan(least):
        least, most = np.fmin.reduce(padded, axis=None), np.fmax.reduce(padded, axis=None)
    if np.isnan(least):
        return {"key": np.zeros(0, np.int64), "count": np.zeros(0, np.int64)}
    low, high = int(level_of(least)) - 1, int(level_of(most)) + 1
    counts = np.zeros((high - low + 1, DEPARTURES), np.int64)
    _count(padded, np.asarray(start), axis, low, counts)
    level, departure = np.nonzero(counts)
    return {
        "key": (level + low) * DEPARTURES + departure,
        "count": counts[level, departure],
    }


def add_surveys(key: NDArray[np.int64], count: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Add up the counts of equal keys; the result is sorted by key."""
    unique, inverse = np.unique(key, return_inverse=True)
    total = np.zeros(unique.size, np.int64)
    np.add.at(total, inverse, count)
    return {"key": unique, "count": total}


def noise_curve(key: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the standard deviation of the noise of one voxel at each of `LEVELS` grey levels.

    The mean departure, not its median: few-photon noise is rare tall spikes.
    Levels that few voxels have take that of the nearest level below, or else above.
    """
    level, departure = key // DEPARTURES, key % DEPARTURES
    centre = np.where(departure == 0, 0.0, 2.0 ** ((departure + 0.5) / 4 - 64))
    # where light comes as single photons, dark and lit voxels of one level fall into two bins
    pool = np.ones(POOLED)
    total = np.convolve(np.bincount(level, count.astype(np.float64), LEVELS), pool, "same")
    amount = np.convolve(np.bincount(level, count * centre, LEVELS), pool, "same")
    known = np.flatnonzero(total >= min(FEWEST, max(1.0, float(total.max(initial=0.0)))))
    if known.size == 0:
        return np.zeros(LEVELS, np.float32)
    sigma = _GAUSS * amount[known] / total[known]
    nearest = np.clip(np.searchsorted(known, np.arange(LEVELS), side="right") - 1, 0, None)
    return np.asarray(sigma[nearest], np.float32)


def level_of(value: Any) -> NDArray[np.int64]:
    """Return the grey-level bin of float32 values; greater values have no smaller bin."""
    bits = np.asarray(value, np.float32).view(np.uint32)
    ordered = np.where(bits >> 31 == 1, ~bits, bits | np.uint32(0x80000000))
    return (ordered >> 20).astype(np.int64)


def count_sizes(
    response: NDArray[np.float32], start: NDArray[Any], absent: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Count the values of a filtered block by size, in 8 bins per octave.

    Every second plane and row is looked at, by position in the volume.

    Args:
        response: `zyx` block.
        start: Its position in the volume.
        absent: Voxels of the block not to count.

    Returns:
        `SIZES` counts of what is not below zero, then as many of what is.
    """
    rows = response[int(start[0]) % 2 :: 2, int(start[1]) % 2 :: 2]
    if absent is not None:
        rows = rows[~absent[int(start[0]) % 2 :: 2, int(start[1]) % 2 :: 2]]
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32) >> 20  # the sign comes first
    return np.bincount(bits.ravel(), minlength=2 * SIZES).astype(np.int64)


def median_size(counts: NDArray[np.int64]) -> float:
    """Return the median size of what `count_sizes` counted, to the middle of its bin."""
    total = np.cumsum(counts[:SIZES] + counts[SIZES:])
    if total[-1] == 0:
        return 0.0
    position = int(np.searchsorted(total, (total[-1] + 1) // 2))
    edges = np.asarray([position, position + 1], np.uint32) << 20
    low, high = edges.astype(np.uint32).view(np.float32).astype(np.float64)
    return float((low + high) / 2) if position else 0.0


def dark_share(counts: NDArray[np.int64], size: float) -> float:
    """Return how many values are below minus a size, over how many are above it; 0 for none.

    It is near 1 for a texture, which has as many dark spots as bright ones, and near 0 where
    bright things lie in the dark, however crowded they are.

    Args:
        counts: Of `count_sizes`.
        size: At least zero.
    """
    first = int(np.asarray(size, np.float32).view(np.uint32)) >> 20
    bright, dark = int(counts[first:SIZES].sum()), int(counts[SIZES + first :].sum())
    return dark / max(bright, 1)


@njit(cache=True, nogil=True)
def _count(padded: Any, start: Any, axis: int, low: int, counts: Any) -> None:
    depth, height, width = padded.shape
    line = np.empty(width, np.float32)
    departure = np.empty(width, np.float32)
    line_bits = line.view(np.uint32)
    departure_bits = departure.view(np.uint32)
    scale = np.float32(1 / np.sqrt(6.0))
    ninth = np.float32(1 / 9)
    for z in range(1, depth - 1):
        if (start[0] + z - 1) % 2:
            continue
        for y in range(1, height - 1):
            if (start[1] + y - 1) % 2:
                continue
            above, here, below = padded[z, y - 1], padded[z, y], padded[z, y + 1]
            front, behind = (padded[z - 1, y], padded[z + 1, y]) if axis == 0 else (above, below)
            for x in range(1, width - 1):
                row = here[x - 1] + here[x] + here[x + 1]
                line[x] = ninth * (
                    row
                    + (above[x - 1] + above[x] + above[x + 1])
                    + (below[x - 1] + below[x] + below[x + 1])
                )
                sides = here[x - 1] + here[x + 1] if axis == ALONG_X else front[x] + behind[x]
                departure[x] = abs(here[x] + here[x] - sides) * scale
            for x in range(1, width - 1):
                if np.isnan(line[x]) or np.isnan(departure[x]):
                    continue
                bits = line_bits[x]
                bits = ~bits if bits >> 31 else bits | np.uint32(0x80000000)
                level = min(max(np.int64(bits >> 20) - low, 0), counts.shape[0] - 1)
                step = np.int64(departure_bits[x] >> 21) - (127 - 64) * 4
                counts[level, min(max(step, 0), counts.shape[1] - 1)] += 1
