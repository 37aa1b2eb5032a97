"""The data a tool may take and give: handles for whole things, blocks for pieces of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from gateway.toolkit.spec import Port
from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.points import PointsTable
from gateway.volumes.source import Source

Image = Annotated[Source, Port(kind="image")]
"""A whole intensity volume, read by box."""
Labels = Annotated[Source, Port(kind="labels")]
"""A whole label volume, read by box."""
Points = Annotated[PointsTable, Port(kind="points")]
"""A table of positions."""
Tiles = Annotated[Any, Port(kind="tiles")]
"""A grid of microscope tiles: a `TileGrid`."""
Transform = Annotated[Any, Port(kind="transform")]
"""A coordinate transformation."""
File = Annotated[str, Port(kind="file")]
"""A file outside the store, by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of one channel of a volume, with the halo its tool asked for."""

    data: NDArray[Any]
    """Voxels, zyx, in the dtype of the volume."""
    box: Box
    """Where `data` lies in the volume, in voxels; at the faces of the volume the halo ends."""
    core: Box
    """The part of `box` whose result is kept; the rest is halo."""
    volume_shape: Shape
    voxel_um: Vector
    origin_um: Vector = (0.0, 0.0, 0.0)
    """Position of the centre of voxel (0, 0, 0) of the volume."""

    def um_to_voxels(self, um: float) -> Vector:
        """Return a length as voxels along z, y and x."""
        z, y, x = (um / size for size in self.voxel_um)
        return (z, y, x)

    def position_um(self, indices: NDArray[Any]) -> NDArray[np.float64]:
        """Return where voxels of `data` lie in the volume.

        Args:
            indices: Positions in `data`, shape (n, 3), zyx, in voxels; fractions are allowed.

        Returns:
            Positions in micrometres, shape (n, 3), zyx, float64.
        """
        index = np.asarray(indices, np.float64).reshape(-1, 3) + np.asarray(self.box.start)
        um: NDArray[np.float64] = index * np.asarray(self.voxel_um) + np.asarray(self.origin_um)
        return um

    def with_core(self, data: NDArray[Any]) -> "Block":
        """Return the result for `core` alone: voxels of its shape, no halo."""
        return replace(self, data=data, box=self.core)

    def with_data(self, data: NDArray[Any]) -> "Block":
        """Return the same place holding other voxels of the same shape."""
        return replace(self, data=data)


ImageBlock = Annotated[Block, Port(kind="image")]
"""A piece of an image. A tool returns one by `block.with_data(voxels)`."""
LabelsBlock = Annotated[Block, Port(kind="labels")]
"""A piece of a label volume."""
PointsBlock = Annotated[Mapping[str, NDArray[Any]], Port(kind="points")]
"""Columns of points found in a block, `z_um,y_um,x_um` first; those in the halo are dropped."""
