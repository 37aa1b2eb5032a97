"""Maximum projections of volumes of any size, read slab by slab."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.volumes.box import Box
from gateway.volumes.model import Level
from gateway.volumes.volume import Volume

_WIDEST = 2000
"""Pixels of a projection; a coarser level is read where level 0 has more."""
_SLAB_VOXELS = 32_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Projections:
    """One channel seen from the top and from the side, at one level."""

    level: Level
    top: NDArray[Any]
    """Maximum along z, yx."""
    side: NDArray[Any]
    """Maximum along y, zx."""

    def pixels(self, positions_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where positions, rows zyx in micrometres, lie in voxels of the level."""
        shifted = positions_um - np.asarray(self.level.origin_um)
        return np.asarray(shifted / np.asarray(self.level.voxel_um), np.float64)


def project(volume: Volume, *, channel: int = 0) -> Projections:
    """Read one channel at the finest level that fits a picture and project it twice."""
    levels = volume.info.levels
    number = next(
        (i for i, level in enumerate(levels) if max(level.shape[1:]) <= _WIDEST), len(levels) - 1
    )
    level = levels[number]
    depth, height, width = level.shape
    thick = max(1, min(depth, _SLAB_VOXELS // (height * width)))
    top = np.zeros((height, width), volume.info.dtype)
    side = np.zeros((depth, width), volume.info.dtype)
    for start in range(0, depth, thick):
        stop = min(depth, start + thick)
        voxels = volume.read(
            Box((start, 0, 0), (stop, height, width)), level=number, channel=channel
        )
        slab = voxels.max(axis=0)
        top = slab if start == 0 else np.maximum(top, slab)
        side[start:stop] = voxels.max(axis=1)
    return Projections(level=level, top=top, side=side)
