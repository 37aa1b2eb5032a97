"""Joins placed tiles into blocks of one volume; a voxel's value never depends on the block."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gateway.algo.tile_overlap import Index

Weights = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
_DECIMALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """The whole voxels that placed tiles cover."""

    origin: tuple[float, float, float]
    """Place of its first voxel in the frame of the positions."""
    shape: Index
    corners: NDArray[np.int64]
    """First voxel of each tile from the first voxel of the canvas, `(tiles, 3)`."""


def lay_canvas(positions: NDArray[np.float64], shapes: NDArray[np.int64]) -> Canvas:
    """Round positions to whole voxels and enclose all tiles.

    A tile is moved by whole voxels only: every voxel keeps the value that the camera saw, at most
    half a voxel from its place; the exact positions are in the table. The canvas takes up the
    fraction that the positions have in common, so that tiles a whole number of voxels apart stay
    exactly so.

    Args:
        positions: First voxel of each tile, `(tiles, 3)`, zyx.
        shapes: Shape of each tile, `(tiles, 3)`.
    """
    common = np.angle(np.exp(2j * np.pi * positions).mean(axis=0)) / (2 * np.pi)
    common = np.round(common, _DECIMALS)
    whole = np.floor(positions - common + 0.5).astype(np.int64)
    start = whole.min(axis=0)
    z, y, x = ((whole + shapes).max(axis=0) - start).tolist()
    a, b, c = np.round(start + common, _DECIMALS).tolist()
    return Canvas(origin=(a, b, c), shape=(z, y, x), corners=whole - start)


def meeting_tiles(
    canvas: Canvas, shapes: NDArray[np.int64], start: Index, stop: Index
) -> list[int]:
    """Return the tiles that meet a box of the canvas, in the order of the grid."""
    before = (canvas.corners < np.asarray(stop)).all(axis=1)
    after = (canvas.corners + shapes > np.asarray(start)).all(axis=1)
    return [int(i) for i in np.flatnonzero(before & after)]


def face_weights(shape: Index, ramp: Index) -> Weights:
    """Return weights along z, y and x of a whole tile, rising from its faces over `ramp` voxels.

    The weight of a voxel is their product. A ramp of 1 gives every voxel the same weight.
    """
    z, y, x = (
        np.minimum((np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5) / max(r, 0.5), 1.0)
        if r > 1
        else np.ones(n)
        for n, r in zip(shape, ramp, strict=True)
    )
    return z, y, x


@dataclass(slots=True)
class Blend:
    """One block while tiles are added to it, always in the order of the grid."""

    total: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of_shape(cls, shape: Index) -> "Blend":
        """Start an empty block."""
        return cls(np.zeros(shape), np.zeros(shape))

    def add(
        self,
        voxels: NDArray[Any],
        at: Index,
        weights: Weights,
        factors: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> None:
        """Add part of a tile.

        Args:
            voxels: The part, zyx; NaN counts as absent.
            at: Where in the block its first voxel goes; the part lies inside the block.
            weights: Along z, y and x of the part.
            factors: What its rows and columns are multiplied by.
        """
        spans = tuple(slice(a, a + n) for a, n in zip(at, voxels.shape, strict=True))
        _add(self.total[spans], self.weight[spans], voxels, *weights, *factors)

    def finish(self, dtype: str) -> NDArray[Any]:
        """Return the weighted mean in a dtype, rounded half to even; 0 where no tile was."""
        mean = np.divide(
            self.total, self.weight, out=np.zeros_like(self.total), where=self.weight > 0
        )
        kind = np.dtype(dtype)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            np.clip(np.rint(mean, out=mean), limits.min, limits.max, out=mean)
        return mean.astype(kind)


@njit(cache=True, nogil=True)
def _add(total, weight, voxels, along_z, along_y, along_x, rows, columns):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    depth, height, width = voxels.shape
    for z in range(depth):
        for y in range(height):
            row_weight = along_z[z] * along_y[y]
            row_factor = rows[y]
            for x in range(width):
                value = np.float64(voxels[z, y, x])
                if value == value:  # noqa: PLR0124 - false for NaN alone
                    share = row_weight * along_x[x]
                    total[z, y, x] += share * (value * (row_factor * columns[x]))
                    weight[z, y, x] += share
