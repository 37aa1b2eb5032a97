"""What the demo left in the store, opened for reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.service.gateway import Gateway
from gateway.service.seams import Positions
from gateway.volumes.dataset import EntryKind, entry_key
from gateway.volumes.points import open_points
from gateway.volumes.ref import Ref
from gateway.volumes.tiles import TileGrid, open_tiles
from gateway.volumes.volume import Volume, open_volume

DATASET = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results, opened."""

    grid: TileGrid
    brain: Volume
    masks: Volume
    nuclei: Mapping[str, NDArray[Any]]
    regions: Mapping[str, NDArray[Any]]
    stage: Positions
    placed: Positions
    placed_um: Mapping[str, tuple[float, ...]]

    @property
    def centres_um(self) -> NDArray[np.float64]:
        """Centres of the nuclei found, rows zyx."""
        return np.stack([self.nuclei[name] for name in ("z_um", "y_um", "x_um")], axis=1)


def open_results(gateway: Gateway) -> Results:
    """Open everything that the steps of the demo made.

    Raises:
        NotFoundError: A step is missing.
    """
    store = gateway.store

    def key(name: str, kind: EntryKind) -> str:
        return entry_key(Ref(DATASET, name), kind)

    grid = open_tiles(store, key("tiles", "tiles"))
    rows = open_points(store, key("positions", "points")).read()
    return Results(
        grid=grid,
        brain=open_volume(store, key("brain", "image")),
        masks=open_volume(store, key("masks", "labels")),
        nuclei=open_points(store, key("nuclei", "points")).read(),
        regions=open_points(store, key("regions", "points")).read(),
        stage=stage_places(grid),
        placed=tile_places(rows, ("z", "y", "x")),
        placed_um=tile_places(rows, ("z_um", "y_um", "x_um")),
    )


def stage_places(grid: TileGrid) -> Positions:
    """Return where the stage says the tiles are, in voxels."""
    return {tile.file: tile.nominal_voxels for tile in grid.tiles}


def tile_places(
    rows: Mapping[str, NDArray[Any]], columns: Sequence[str] = ("z", "y", "x")
) -> dict[str, tuple[float, ...]]:
    """Return where tiles were placed, file to position, from the table that stitching made."""
    values = np.stack([np.asarray(rows[column], float) for column in columns], axis=1)
    names = [str(name) for name in rows["file"]]
    return {name: tuple(map(float, row)) for name, row in zip(names, values, strict=True)}
