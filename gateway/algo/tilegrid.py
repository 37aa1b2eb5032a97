"""Where the tiles of a grid lie on a volume: nominal stage positions and the true ones."""

from dataclasses import dataclass

import numpy as np

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutTile:
    """One tile to cut: where the stage says it is, and where it is."""

    row: int
    column: int
    nominal: Triple
    """First voxel by the stage, zyx, from the first tile."""
    true: Triple
    """First voxel in truth, in the same frame."""
    start: Triple
    """First voxel in the volume that is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """A grid of tiles over one volume."""

    tiles: tuple[CutTile, ...]
    tile: Triple
    """Voxels of each tile, zyx."""
    margin: Triple
    """Position in the volume of the grid's origin: `start = true + margin`."""


def plan_tiles(
    shape: Triple, *, rows: int, columns: int, overlap: float, error: Triple, seed: int
) -> Cutting:
    """Lay a grid with stage errors over a volume so that every tile lies inside it.

    Args:
        shape: Voxels of the volume, zyx.
        rows: Tiles along y.
        columns: Tiles along x.
        overlap: Share of a tile that neighbours have in common, above 0 and below 0.5.
        error: Largest stage error per axis, whole voxels, zyx.
        seed: Same seed, same errors.
    """
    random = np.random.default_rng(seed)
    tile = (
        shape[0] - 2 * error[0],
        int((shape[1] - 2 * error[1]) / (1 + (rows - 1) * (1 - overlap))),
        int((shape[2] - 2 * error[2]) / (1 + (columns - 1) * (1 - overlap))),
    )
    step = (0, round(tile[1] * (1 - overlap)), round(tile[2] * (1 - overlap)))
    tiles = []
    for row in range(rows):
        for column in range(columns):
            nominal = (0, row * step[1], column * step[2])
            moved = [int(random.integers(-e, e + 1)) for e in error]
            true = (nominal[0] + moved[0], nominal[1] + moved[1], nominal[2] + moved[2])
            room = [n - size for n, size in zip(shape, tile, strict=True)]
            z, y, x = (min(max(t + e, 0), r) for t, e, r in zip(true, error, room, strict=True))
            true = (z - error[0], y - error[1], x - error[2])
            tiles.append(
                CutTile(row=row, column=column, nominal=nominal, true=true, start=(z, y, x))
            )
    return Cutting(tiles=tuple(tiles), tile=tile, margin=error)
