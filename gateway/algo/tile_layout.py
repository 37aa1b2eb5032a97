"""What is known of a grid of tiles before a voxel is read: places, pairs, how far to search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.algo.tile_overlap import (
    Index,
    Strips,
    TilePair,
    default_window,
    find_pairs,
    search_strips,
    typical_overlap,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileLayout:
    """A grid as the stage reports it."""

    nominal: NDArray[np.float64]
    """Stage positions in voxels, `(tiles, 3)`, zyx."""
    shapes: NDArray[np.int64]
    """Shape of each tile, `(tiles, 3)`."""
    pairs: list[TilePair]
    window: Index
    """How far the true displacement of a pair is searched either way, voxels."""
    overlap: Index
    """Median width of the overlaps across each axis, voxels; 0 where there is none."""

    def shape(self, tile: int) -> Index:
        """Return the shape of one tile."""
        z, y, x = self.shapes[tile].tolist()
        return (z, y, x)

    def strips(self, pair: TilePair) -> Strips:
        """Return what to read of the two tiles of a pair."""
        first, second = self.shape(pair.first), self.shape(pair.second)
        return search_strips(pair.displacement, first, second, self.window)

    def largest_strip(self) -> int:
        """Return the voxels of the largest strip of any pair; 1 where there is no pair."""
        sizes = (
            int(np.prod(np.subtract(strips.first_stop, strips.first_start)))
            for strips in map(self.strips, self.pairs)
        )
        return max(sizes, default=1)


def plan_layout(
    nominal: NDArray[np.float64],
    shapes: NDArray[np.int64],
    *,
    voxel_um: tuple[float, float, float],
    max_shift_um: float,
) -> TileLayout:
    """Find the pairs of a grid and how far to search.

    Args:
        nominal: Stage positions in voxels, `(tiles, 3)`, zyx.
        shapes: Shape of each tile, `(tiles, 3)`.
        voxel_um: Voxel size, zyx.
        max_shift_um: The search either way; 0 chooses it from the overlaps.
    """
    pairs = find_pairs(nominal, shapes)
    window = default_window(pairs, shapes, voxel_um)
    if max_shift_um > 0:
        asked = np.ceil(max_shift_um / np.asarray(voxel_um)).astype(np.int64)
        z, y, x = (int(v) for v in np.minimum(asked, shapes.min(axis=0) - 1))
        window = (z, y, x)
    return TileLayout(
        nominal=nominal,
        shapes=shapes,
        pairs=pairs,
        window=window,
        overlap=typical_overlap(pairs, shapes),
    )
