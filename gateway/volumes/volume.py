"""Volumes: images and labels of a store, read by box, by index or in micrometres."""

import json
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BoxError, FormatError, NotFoundError
from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.digest import CELLS_FILE, cell_counts, decode_hashes
from gateway.volumes.levels import LevelArrays, OpenLevel
from gateway.volumes.model import VolumeInfo
from gateway.volumes.ome import level_paths, parse_documents
from gateway.volumes.region import um_box
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits
from gateway.volumes.views import LevelArray, dask_view, xarray_view


class Volume:
    """An image or labels volume of a store, at all its levels.

    Index it like an array, level first: `volume[0, :, 10:20]` cuts `czyx` (or `tczyx`) voxels.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        info: VolumeInfo,
        limits: IoLimits | None = None,
        opener: OpenLevel | None = None,
    ) -> None:
        """Make the handle; `open_volume` and `open_link` read the metadata for it."""
        self._store = store
        self._key = key
        self._info = info
        self._limits = limits or IoLimits()
        self._opener = opener
        self._arrays = LevelArrays(store, key, info, self._limits, opener=opener)

    @property
    def info(self) -> VolumeInfo:
        """Shape, dtype, voxel size, channels, levels, digest."""
        return self._info

    @property
    def key(self) -> str:
        """Where it lies in its store."""
        return self._key

    @property
    def store(self) -> Store:
        """The store it lies in."""
        return self._store

    @property
    def read_unit(self) -> Shape:
        """The chunk of level 0."""
        return self._info.levels[0].chunk

    def read(
        self, box: Box, *, level: int = 0, channel: int | None = None, time: int = 0
    ) -> NDArray[Any]:
        """Read a box.

        Args:
            box: The voxels wanted, in the grid of `level`, inside the volume.
            level: The resolution level; 0 is the finest, -1 the coarsest.
            channel: One channel, giving a `zyx` array; None reads all, giving `czyx`.
            time: The time point.

        Returns:
            A C-contiguous array in the dtype of `info`.

        Raises:
            BoxError: The box, level, channel or time is not in the volume.
            CorruptionError: A chunk cannot be decoded; names volume, level and box.
            StoreError: The storage failed.
        """
        number = self._number(level)
        whole = Box.of_shape(self._info.levels[number].shape)
        if not whole.contains(box) or not box.voxels:
            raise BoxError(f"box {box} is empty or outside {self._key} level {number}: {whole}")
        self._check_index("channel", channel or 0, len(self._info.channels))
        self._check_index("time", time, self._info.times)
        channels = slice(0, len(self._info.channels)) if channel is None else channel
        return self._arrays.read(number, channels, time, box)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read `[level, region]` as NumPy would index the level's `czyx` (or `tczyx`) array.

        Raises:
            BoxError: The level or an index is not in the volume.
            CorruptionError: A chunk cannot be decoded; names volume, level and box.
        """
        level, *region = index if isinstance(index, tuple) else (index,)
        if not isinstance(level, int | np.integer):
            raise BoxError(
                f"the first index of a volume is its level, a whole number; got {level!r}: "
                "write volume[0, :, 10:20], or volume[0] for all voxels"
            )
        return self._arrays.index(self._number(int(level)), tuple(region))

    def read_um(
        self,
        start_um: Vector,
        stop_um: Vector,
        voxel_um: float | Vector | None = None,
        channel: int | None = None,
        time: int = 0,
    ) -> NDArray[Any]:
        """Read the voxels whose centres lie in a box given in micrometres.

        Args:
            start_um: First corner, zyx; voxel (0, 0, 0) is centred on the volume's origin.
            stop_um: Far corner, zyx, exclusive.
            voxel_um: Voxel size wanted: the coarsest level that is nowhere coarser is read.
            channel: One channel, giving `zyx`; None reads all, giving `czyx`.
            time: The time point.

        Raises:
            BoxError: The box does not meet the volume, or it has no such channel or time.
        """
        level = 0 if voxel_um is None else self.level_for(voxel_um)
        box = self.box_um(start_um, stop_um, level)
        return self.read(box, level=level, channel=channel, time=time)

    def box_um(self, start_um: Vector, stop_um: Vector, level: int = 0) -> Box:
        """Return the voxels of a level whose centres lie in a box given in micrometres.

        A box thinner than a voxel takes the nearest one; one that sticks out is clipped.

        Raises:
            BoxError: The box does not meet the volume, or stops before it starts.
        """
        return um_box(self._info.levels[self._number(level)], start_um, stop_um, self._key)

    def level_for(self, voxel_um: float | Vector) -> int:
        """Return the coarsest level that is nowhere coarser than `voxel_um`, else 0."""
        wanted = np.broadcast_to(np.asarray(voxel_um, np.float64), 3) * (1 + 1e-6)
        levels = enumerate(self._info.levels)
        return max((i for i, level in levels if np.all(level.voxel_um <= wanted)), default=0)

    def cells(self, level: int = 0) -> NDArray[np.uint8]:
        """Return the recorded hashes: times, channels, cells z, y, x, then 32 bytes.

        Raises:
            NotFoundError: There are none: the gateway did not write the volume.
            CorruptionError: They do not fit a level of this shape.
        """
        grid = self._info.levels[self._number(level)]
        key = f"{self._key}/{grid.path}/{CELLS_FILE}"
        counts = (self._info.times, len(self._info.channels), *cell_counts(grid.shape))
        return decode_hashes(self._store.get(key), counts, f"{key} in {self._store.url}")

    def to_dask(self, level: int = 0) -> Any:
        """Return a level as a lazy `dask.array`, one dask chunk per shard and channel.

        Raises:
            MissingExtraError: dask is not installed.
        """
        number = self._number(level)
        return dask_view(self._lazy(number), self._info.levels[number])

    def to_xarray(self, level: int = 0) -> Any:
        """Return a level as a lazy `xarray.DataArray` with coordinates in micrometres.

        Raises:
            MissingExtraError: xarray or dask is not installed.
        """
        number = self._number(level)
        return xarray_view(self._lazy(number), self._info, self._info.levels[number], self._key)

    def __repr__(self) -> str:
        """Describe the volume in a few lines."""
        info = self._info
        size = " x ".join(map(str, info.array_shape))
        rows = [f"<Volume {self._key}: {info.kind}, {info.axes} {size}, {info.dtype}>"]
        rows.append(f"  channels: {', '.join(channel.name for channel in info.channels)}")
        for number, level in enumerate(info.levels):
            shape = " x ".join(map(str, level.shape))
            um = " x ".join(f"{v:g}" for v in level.voxel_um)
            rows.append(f"  level {number}: {shape} of {um} µm")
        rows.append(f"  {info.digest or 'not complete: no digest yet'}")
        return "\n".join(rows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as store, key and metadata; arrays are opened again where it arrives."""
        return (Volume, (self._store, self._key, self._info, self._limits, self._opener))

    def _lazy(self, level: int) -> LevelArray:
        return LevelArray(self._info, self._info.levels[level], partial(_read_index, self, level))

    def _number(self, level: int) -> int:
        count = len(self._info.levels)
        if not -count <= level < count:
            raise BoxError(f"{self._key} has no level {level}; there are 0 to {count - 1}")
        return level % count

    def _check_index(self, what: str, index: int, count: int) -> None:
        if not 0 <= index < count:
            raise BoxError(f"{self._key} has no {what} {index}; there are 0 to {count - 1}")


def open_volume(store: Store, key: str, *, limits: IoLimits | None = None) -> Volume:
    """Open a volume that the gateway wrote.

    Args:
        store: Where it lies.
        key: Its folder, e.g. `mouse1/raw.ome.zarr`.
        limits: Threads, requests and cache of its reads.

    Raises:
        NotFoundError: There is no volume of that key.
        FormatError: Its metadata is broken.
    """
    group, arrays = read_documents(store, key)
    return Volume(store, key, parse_documents(group, arrays, key), limits)


def read_documents(store: Store, key: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Read the `zarr.json` of a volume's group and, by path, of its levels.

    Raises:
        NotFoundError: There is no volume of that key.
        FormatError: One is not a JSON object, or the group is not an OME-Zarr 0.5 image.
    """
    group = _read_document(store, key, "volume")
    arrays = {
        path: _read_document(store, f"{key}/{path}", f"level {path} of the volume")
        for path in level_paths(group, key)
    }
    return group, arrays


def _read_document(store: Store, key: str, what: str) -> dict[str, Any]:
    try:
        document = json.loads(store.get(f"{key}/zarr.json"))
    except NotFoundError as error:
        raise NotFoundError(f"there is no {what} at {key} in {store.url}") from error
    except ValueError as error:
        raise FormatError(f"{key}/zarr.json in {store.url} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise FormatError(f"{key}/zarr.json in {store.url} is not a JSON object")
    return document


def _read_index(volume: Volume, level: int, index: tuple[Any, ...]) -> NDArray[Any]:
    return volume[(level, *index)]
