"""The arrays of a volume's levels: opened once, read with errors that name the place."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import CorruptionError
from gateway.volumes.box import Box, cut_boxes
from gateway.volumes.model import Level, VolumeInfo
from gateway.volumes.region import parse_region
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits, open_array, read_array

OpenLevel = Callable[[int, Any], Any]
"""Opens a level, by number and TensorStore context, where the arrays do not lie in the volume."""


class LevelArrays:
    """The TensorStore arrays of one volume."""

    def __init__(
        self,
        store: Store,
        key: str,
        info: VolumeInfo,
        limits: IoLimits,
        *,
        write: bool = False,
        opener: OpenLevel | None = None,
    ) -> None:
        """Keep what is needed to open the arrays; each is opened on first use."""
        self._store = store
        self._key = key
        self._info = info
        self._write = write
        self._opener = opener
        self._context = limits.context()
        self._open: dict[int, Any] = {}

    def array(self, level: int) -> Any:
        """Return the TensorStore of a level, axes as in the volume's `axes`."""
        if level not in self._open and self._opener is not None:
            self._open[level] = self._opener(level, self._context)
        elif level not in self._open:
            key = f"{self._key}/{self._info.levels[level].path}"
            self._open[level] = open_array(self._store, key, self._context, write=self._write)
        return self._open[level]

    def view(self, level: int, channel: int | slice, time: int, box: Box) -> Any:
        """Return a lazy view of a box of one time point."""
        lead = (time, channel) if self._info.times > 1 else (channel,)
        return self.array(level)[(*lead, *box.slices())]

    def read(self, level: int, channel: int | slice, time: int, box: Box) -> NDArray[Any]:
        """Read a box of one time point.

        Raises:
            CorruptionError: A chunk cannot be decoded; names volume, level and box.
            StoreError: The storage failed.
        """
        return self._fetch(self.view(level, channel, time, box), level, box)

    def index(self, level: int, index: tuple[Any, ...]) -> NDArray[Any]:
        """Read a level as NumPy would index its array.

        Raises:
            BoxError: An index is not in the level.
            CorruptionError: A chunk cannot be decoded; names volume, level and box.
            StoreError: The storage failed.
        """
        region = parse_region(index, self.shape(level))
        if 0 in region.shape:
            voxels: NDArray[Any] = np.empty(region.shape, self._info.dtype)
        else:
            voxels = self._fetch(self.array(level)[region.slices], level, region.box)
        cut: NDArray[Any] = voxels[region.after]
        return cut

    def shape(self, level: int) -> tuple[int, ...]:
        """Return the shape of a level's array, all axes."""
        return (*self._info.array_shape[:-3], *self._info.levels[level].shape)

    def _fetch(self, view: Any, level: int, box: Box) -> NDArray[Any]:
        what = f"{self._key}, level {level}, box {box}"
        try:
            return read_array(view, what)
        except CorruptionError as error:
            chunk = self._broken_chunk(level, box)
            if chunk is None or chunk == box:
                raise
            raise CorruptionError(f"chunk {chunk} is broken: {error}") from error

    def _broken_chunk(self, level: int, box: Box) -> Box | None:
        """Find the first chunk that does not decode, to name it; only after a failed read."""
        grid = self._info.levels[level]
        for chunk in cut_boxes(_whole_chunks(grid, box), grid.chunk):
            try:
                read_array(self.array(level)[(..., *chunk.slices())], str(chunk))
            except CorruptionError:
                return chunk
        return None


def _whole_chunks(grid: Level, box: Box) -> Box:
    z, y, x = (a // c * c for a, c in zip(box.start, grid.chunk, strict=True))
    stop = [
        min(n, -(-b // c) * c) for b, c, n in zip(box.stop, grid.chunk, grid.shape, strict=True)
    ]
    return Box((z, y, x), (stop[0], stop[1], stop[2]))
