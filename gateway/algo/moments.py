"""Moments of labelled objects: exact sums over blocks, joined in any order, told as statistics.

All sums are whole numbers (powers of intensities in 128 bits), so a result does not depend on
how a volume was cut into blocks or in which order they came.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.algo._moment_kernels import (
    number_labels,
    quantise_floats,
    sum_places,
    sum_powers,
)

FLOAT_STEPS = 2**20 - 1
"""Steps into which the range of a float32 image is divided."""

_POWERS = 4
_LIMB = np.uint64(32)
_LIMB_MASK = np.uint64(2**32 - 1)
_ROWS_HELD = 400_000
_FAR = np.iinfo(np.int64).max

Moments = Mapping[str, NDArray[Any]]
"""`label` (n), `sizes` (n), `sums` (n, 3), `start` (n, 3), `stop` (n, 3) and `powers`
(n, channels, 4, 2), uint64 low and high words."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Intensities as whole numbers: `value = low + step * count`."""

    low: float
    step: float

    @classmethod
    def of(cls, dtype: str, low: float = 0.0, high: float = 0.0) -> Self:
        """Return the steps of a dtype: 1 for integers, a share of low to high for float32."""
        if dtype != "float32":
            return cls(-32768.0 if dtype == "int16" else 0.0, 1.0)
        return cls(low, (high - low) / FLOAT_STEPS)

    def count(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """Return the count of each voxel, unsigned; float32 is rounded half up."""
        if voxels.dtype == np.int16:
            return voxels.view(np.uint16) ^ np.uint16(0x8000)
        if voxels.dtype != np.float32:
            return voxels
        counts = np.zeros(voxels.shape, np.uint32)
        if self.step > 0:
            quantise_floats(voxels, self.low, 1.0 / self.step, counts)
        return counts


def block_moments(
    labels: NDArray[Any],
    origin: tuple[int, int, int],
    channels: Sequence[Callable[[], NDArray[Any]]] = (),
) -> dict[str, NDArray[Any]]:
    """Sum over the voxels of every label of a block; 0 is background.

    Args:
        labels: `zyx`, unsigned, of any values.
        origin: Where the block starts in its volume, zyx.
        channels: Each gives the intensities of the block as `Steps.count` does, `zyx`; called
            one after another, and not at all where there is only background.
    """
    index = np.empty(labels.shape, np.uint32)
    label = number_labels(labels, index)
    rows = len(label)
    voxels = np.zeros(rows, np.int64)
    sums = np.zeros((rows, 3), np.int64)
    bounds = np.zeros((rows, 2, 3), np.int64)
    bounds[:, 0] = _FAR
    powers = np.zeros((rows, len(channels), _POWERS, 2), np.uint64)
    if rows:
        sum_places(index, origin, voxels, sums, bounds)
        for number, read in enumerate(channels):
            sum_powers(index, read(), powers[:, number])
    found = {"label": label, "sizes": voxels, "sums": sums, "powers": powers}
    return found | {"start": bounds[:, 0], "stop": bounds[:, 1]}


def merge_moments(parts: Iterable[Moments]) -> dict[str, NDArray[Any]]:
    """Join the sums of blocks, or of what was joined before, into one row per label, sorted."""
    held: list[Moments] = []
    fresh = 0
    for part in parts:
        held.append(part)
        fresh += len(part["label"])
        if fresh > max(_ROWS_HELD, len(held[0]["label"])):
            held, fresh = [_join(held)], 0
    return _join(held)


def describe_powers(
    powers: NDArray[np.uint64], voxels: NDArray[np.int64], steps: Steps
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean, standard deviation, skewness and kurtosis from power sums.

    The standard deviation is that of the population. Skewness is g1 and kurtosis g2 (0 for a
    normal distribution), as defined in doi:10.1111/1467-9884.00122; both are NaN where all
    voxels are equal.

    Args:
        powers: (n, 4, 2), uint64.
        voxels: (n), all above 0.
        steps: What the counts mean.
    """
    n = voxels.astype(object)
    one, two, three, four = (_whole(powers[:, power]) for power in range(_POWERS))
    # Whole-number central moments, scaled by n^k: exact, so that nothing cancels.
    second = n * two - one * one
    third = n * n * three - 3 * n * one * two + 2 * one**3
    fourth = n**3 * four - 4 * n * n * one * three + 6 * n * one * one * two - 3 * one**4
    flat = np.asarray(second == 0, np.bool_)
    count = voxels.astype(np.float64)
    variance = second.astype(np.float64) / count**2
    spread = np.where(flat, np.nan, variance)
    mean = steps.low + steps.step * (one.astype(np.float64) / count)
    skewness = third.astype(np.float64) / count**3 / (spread * np.sqrt(spread))
    kurtosis = fourth.astype(np.float64) / count**4 / (spread * spread) - 3.0
    return mean, steps.step * np.sqrt(variance), skewness, kurtosis


def _join(parts: Sequence[Moments]) -> dict[str, NDArray[Any]]:
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(whole["label"], kind="stable")
    label = whole["label"][order]
    first = np.flatnonzero(np.append(True, label[1:] != label[:-1])[: len(label)])
    if len(first) == len(label):
        return {name: column[order] for name, column in whole.items()}
    return {
        "label": label[first],
        "sizes": np.add.reduceat(whole["sizes"][order], first),
        "sums": np.add.reduceat(whole["sums"][order], first),
        "start": np.minimum.reduceat(whole["start"][order], first),
        "stop": np.maximum.reduceat(whole["stop"][order], first),
        "powers": _add_wide(whole["powers"][order], first),
    }


def _add_wide(powers: NDArray[np.uint64], first: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Add 128-bit sums by groups of rows, in four 32-bit limbs with room for the carries."""
    low, high = powers[..., 0], powers[..., 1]
    total = np.empty((len(first), *powers.shape[1:]), np.uint64)
    carry: Any = np.uint64(0)
    for word, half in ((0, low), (1, high)):
        near = np.add.reduceat(half & _LIMB_MASK, first) + carry
        far = np.add.reduceat(half >> _LIMB, first) + (near >> _LIMB)
        total[..., word] = (near & _LIMB_MASK) | (far << _LIMB)
        carry = far >> _LIMB
    return total


def _whole(words: NDArray[np.uint64]) -> NDArray[np.object_]:
    """Return 128-bit sums as Python integers."""
    whole: NDArray[np.object_] = words[:, 0].astype(object) + words[:, 1].astype(object) * 2**64
    return whole
