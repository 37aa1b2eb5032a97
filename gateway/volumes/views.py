"""Lazy views of a volume's level for dask and xarray, both optional."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import GatewayError
from gateway.volumes.model import Level, VolumeInfo


class MissingExtraError(GatewayError, ImportError):
    """A library that an extra installs is not there."""


class LevelArray:
    """One level as an array that reads when it is indexed."""

    def __init__(
        self, info: VolumeInfo, grid: Level, read: Callable[[tuple[Any, ...]], NDArray[Any]]
    ) -> None:
        """Wrap `read`, which takes a NumPy-like index of the level."""
        self.shape = (*info.array_shape[:-3], *grid.shape)
        self.dtype = np.dtype(info.dtype)
        self.ndim = len(self.shape)
        self._read = read

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read the voxels of an index."""
        return self._read(index if isinstance(index, tuple) else (index,))


def dask_view(lazy: LevelArray, grid: Level) -> Any:
    """Return a `dask.array` with one dask chunk per shard and channel.

    Raises:
        MissingExtraError: dask is not installed.
    """
    lead = (1,) * (lazy.ndim - 3)
    cut = (min(s, n) for s, n in zip(grid.shard, grid.shape, strict=True))
    return _extra("dask.array").from_array(lazy, chunks=(*lead, *cut), asarray=False)


def xarray_view(lazy: LevelArray, info: VolumeInfo, grid: Level, name: str) -> Any:
    """Return a lazy `xarray.DataArray` with coordinates in micrometres (and seconds).

    Raises:
        MissingExtraError: xarray or dask is not installed.
    """
    library = _extra("xarray")
    coordinates: dict[str, Any] = {"c": [channel.name for channel in info.channels]}
    if info.times > 1 and info.time_step_s is not None:
        seconds = info.time_step_s * np.arange(info.times)
        coordinates["t"] = ("t", seconds, {"units": "second"})
    for axis, n, um, origin in zip("zyx", grid.shape, grid.voxel_um, grid.origin_um, strict=True):
        coordinates[axis] = (axis, origin + um * np.arange(n), {"units": "micrometer"})
    voxels = dask_view(lazy, grid)
    return library.DataArray(voxels, dims=tuple(info.axes), coords=coordinates, name=name)


def _extra(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module} is not installed: `pip install brain-gateway[dask]` adds it, "
            "or read voxels without it: volume[0, :, 10:20]"
        ) from error
