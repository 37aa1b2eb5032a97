"""Uneven brightness of tiles: a gain per tile and a vignette they share, from their overlaps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.algo.normal_equations import solve_entries

BINS = 16
"""Bins per in-plane axis that an overlap is averaged in."""
TERMS = 4
"""Coefficients of the vignette: y^2, y^4, x^2, x^4, of a tile that reaches from -1 to 1."""
_GAIN_RIDGE, _FIELD_RIDGE = 1e-4, 1e-4
_HUBER = 1.5  # deviations beyond which a bin loses weight
_ROUNDS = 12
_WORTHWHILE = 0.95  # the correction must cut the disagreement of overlaps at least to this part
_STEEPEST = 1.2  # natural logarithm of the strongest believable correction


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapSamples:
    """Mean intensities of the same content in two tiles, bin by bin; one row per bin."""

    tiles: NDArray[np.int64]
    """First and second tile, `(bins, 2)`."""
    place: NDArray[np.float64]
    """Centre of the bin in the first and in the second tile, -1 to 1, `(bins, 2, 2)`, last yx."""
    mean: NDArray[np.float64]
    """Mean intensity in the first and in the second tile, `(bins, 2)`."""
    voxels: NDArray[np.int64]
    """Voxels per bin, `(bins,)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Illumination:
    """What the brightness of each tile is divided by."""

    gain: NDArray[np.float64]
    """Per tile; the geometric mean is 1."""
    vignette: NDArray[np.float64]
    """`TERMS` coefficients of the logarithm of the shared field, 0 in the middle of the tile."""

    def factors(
        self, tile: int, shape: tuple[int, int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what rows and columns of a tile are multiplied by; the gain is in the rows.

        Both cover the whole tile, so that a voxel's factor never depends on how much is read.
        """
        y, x = (_centred(n) for n in shape[1:])
        a, b, c, d = self.vignette.tolist()
        rows = np.exp(-(a * y**2 + b * y**4)) / self.gain[tile]
        return rows, np.exp(-(c * x**2 + d * x**4))


def flat_illumination(tiles: int) -> Illumination:
    """Return the illumination that changes nothing."""
    return Illumination(gain=np.ones(tiles), vignette=np.zeros(TERMS))


def sample_overlap(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    starts: tuple[tuple[int, int, int], tuple[int, int, int]],
    shapes: tuple[tuple[int, int, int], tuple[int, int, int]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Average the overlap of two aligned tiles in bins over y and x, all planes together.

    Args:
        first: Voxels of the overlap in the first tile, zyx.
        second: The same content in the second tile, same shape.
        starts: First voxel of the overlap in each tile.
        shapes: Shape of each tile.

    Returns:
        Places, means and voxels per bin, as in `OverlapSamples`.
    """
    edges = [np.unique(np.linspace(0, n, min(BINS, n) + 1).astype(int)) for n in first.shape[1:]]
    means = []
    valid = np.isfinite(first) & np.isfinite(second)
    for tile in (first, second):
        planes = np.where(valid, tile, 0).sum(axis=0, dtype=np.float64)
        means.append(_bin(planes, edges))
    count = _bin(valid.sum(axis=0, dtype=np.float64), edges)
    middles = [(e[1:] + e[:-1]) / 2 for e in edges]
    grid = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 2)
    place = np.stack(
        [
            2 * (grid + np.asarray(start[1:])) / np.asarray(shape[1:]) - 1
            for start, shape in zip(starts, shapes, strict=True)
        ],
        axis=1,
    )
    voxels = count.ravel()
    mean = np.stack(means, axis=-1).reshape(-1, 2) / np.maximum(voxels, 1)[:, None]
    return place, mean, voxels.astype(np.int64)


def solve_illumination(tiles: int, samples: OverlapSamples) -> Illumination:
    """Fit gains and vignette to what overlaps say, in the log domain, with Huber weights.

    In an overlap the same content is seen at two places of the field, so content cancels. What
    does not make overlaps agree better is not applied.

    Args:
        tiles: Number of tiles.
        samples: Bins of all pairs that were placed.
    """
    flat = flat_illumination(tiles)
    good = (samples.mean > 0).all(axis=1) & (samples.voxels > 0)
    if np.count_nonzero(good) < 2 * TERMS:
        return flat
    first, second = samples.tiles[good].T
    ratio = np.log(samples.mean[good, 0] / samples.mean[good, 1])
    y, x = samples.place[good, :, 0], samples.place[good, :, 1]
    powers = np.stack([y**2, y**4, x**2, x**4], axis=-1)
    columns = powers[:, 0] - powers[:, 1]
    base = samples.voxels[good] / samples.voxels[good].max()
    weight = base
    solution = np.zeros(tiles + TERMS)
    residual = ratio
    for _ in range(_ROUNDS):
        solution = _weighted(tiles, (first, second), columns, ratio, weight)
        model = solution[first] - solution[second] + columns @ solution[tiles:]
        residual = ratio - model
        spread = _spread(residual)
        if spread <= 0:
            break
        excess = np.abs(residual) / (_HUBER * spread)
        weight = base / np.maximum(excess, 1)
    if _spread(residual) > _WORTHWHILE * _spread(ratio):
        return flat
    field = solution[tiles:]
    if np.abs(solution[:tiles]).max() > _STEEPEST or abs(float(field.sum())) > 2 * _STEEPEST:
        return flat
    gain = np.exp(solution[:tiles] - solution[:tiles].mean())
    return Illumination(gain=np.round(gain, 9), vignette=np.round(field, 9))


def _weighted(
    tiles: int,
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    columns: NDArray[np.float64],
    ratio: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Solve the ridge normal equations of gains and field."""
    first, second = ends
    terms = columns.shape[1]
    size = tiles + terms
    weighted = weight[:, None] * columns
    rows, others, values = [first, second], [first, second], [weight, weight]
    rows += [first, second]
    others += [second, first]
    values += [-weight, -weight]
    for term in range(terms):
        field = np.full(len(first), tiles + term)
        rows += [first, second, field, field]
        others += [field, field, first, second]
        values += [weighted[:, term], -weighted[:, term]] * 2
    block = tiles + np.arange(terms)
    rows += [np.repeat(block, terms), np.arange(size)]
    others += [np.tile(block, terms), np.arange(size)]
    ridge = np.full(size, _FIELD_RIDGE)
    ridge[:tiles] = _GAIN_RIDGE
    values += [(weighted.T @ columns).ravel(), ridge * weight.sum() / tiles]
    pull = weight * ratio
    force = np.asarray(np.bincount(first, pull, size) - np.bincount(second, pull, size), float)
    force[tiles:] = weighted.T @ ratio
    return solve_entries(
        np.concatenate(rows), np.concatenate(others), np.concatenate(values), force
    )


def _spread(values: NDArray[np.float64]) -> float:
    return float(np.median(np.abs(values))) * 1.4826


def _bin(plane: NDArray[np.float64], edges: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    rows = np.add.reduceat(plane, edges[0][:-1], axis=0)
    return np.asarray(np.add.reduceat(rows, edges[1][:-1], axis=1))


def _centred(count: int) -> NDArray[np.float64]:
    return (2 * np.arange(count, dtype=np.float64) + 1) / count - 1
