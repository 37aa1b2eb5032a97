"""What a file format is to the gateway: a way to tell it, to open it and perhaps to write it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BoxError
from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.formats.dtypes import Conversion
from gateway.volumes.model import VolumeInfo, VolumeKind
from gateway.volumes.source import Source

Fetch = Callable[[Box, int, int], NDArray[Any]]
"""Reads `(box, channel, time)` as zyx in the dtype of the file."""
VoxelSizeFrom = Literal["given", "file", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """What a person may have to say about a file, because the file does not."""

    voxel_um: Vector | None = None
    """Overrides what the file says, zyx."""
    default_um: Vector | None = None
    """Used where neither the person nor the file says it; None refuses."""
    channel_names: tuple[str, ...] | None = None
    kind: VolumeKind | None = None
    """None: labels where the dtype is uint32 or uint64, otherwise image."""
    as_dtype: str | None = None
    """Convert to this dtype; a value that does not fit is an error, never clipped."""
    axes: str | None = None
    """Order of the axes of the file, such as `zcyx`, where it does not say."""
    dataset: str | None = None
    """The array inside a container: a path in HDF5, N5 or zarr."""
    series: int | None = None
    """The image of a file that holds several."""
    pattern: str | None = None
    """Regular expression whose first group is the channel in a file or folder name."""
    checked: bool = False
    """Whether the same files were opened before with the same result, as in a worker: planes are
    then looked at when they are read, not all beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """An opened file or folder of files: a `Source` that knows which files it reads."""

    info: VolumeInfo
    read_unit: Shape
    fetch: Fetch
    conversion: Conversion
    path: Path
    files: tuple[Path, ...]
    """Every file the voxels come from, in natural order."""
    format: str
    """Name of the format, such as `OME-TIFF`."""
    voxel_um_from: VoxelSizeFrom = "file"
    bytes_open: int = 0
    """Bytes kept decoded while the source is open."""
    details: Mapping[str, object] = field(default_factory=dict)
    """What else the file said, for people: stage position, acquisition software."""

    def read(
        self, box: Box, *, level: int = 0, channel: int | None = None, time: int = 0
    ) -> NDArray[Any]:
        """Read a box; see `gateway.volumes.source.Source`."""
        self._check(box, level, channel, time)
        if channel is not None:
            return self._read_channel(box, channel, time)
        channels = range(len(self.info.channels))
        if len(channels) == 1:
            return self._read_channel(box, 0, time)[np.newaxis]
        out = np.empty((len(channels), *box.shape), self.info.dtype)
        for index in channels:
            out[index] = self._read_channel(box, index, time)
        return out

    def _read_channel(self, box: Box, channel: int, time: int) -> NDArray[Any]:
        voxels = self.fetch(box, channel, time)
        where = f"{self.path}, channel {channel}, box {box}"
        return self.conversion.apply(voxels, where, box.start)

    def _check(self, box: Box, level: int, channel: int | None, time: int) -> None:
        if level:
            raise BoxError(f"{self.path} has no level {level}: a file has only level 0")
        if not Box.of_shape(self.info.shape).contains(box):
            raise BoxError(f"box {box} reaches outside {self.path}, shape {self.info.shape}")
        if channel is not None and not 0 <= channel < len(self.info.channels):
            raise BoxError(
                f"{self.path} has no channel {channel}: it has {len(self.info.channels)}"
            )
        if not 0 <= time < self.info.times:
            raise BoxError(f"{self.path} has no time {time}: it has {self.info.times}")


Progress = Callable[[int, int], None]
"""Called with `(planes done, planes in all)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """What a writer writes: a box of one level of a source, with its place in the world."""

    source: Source
    info: VolumeInfo
    """Shape, voxel size and origin of the excerpt itself; no levels."""
    level: int
    box: Box
    slab_bytes: int = 128_000_000
    """Voxels are read in slabs of about this many bytes."""
    reduce: Callable[[NDArray[Any], Shape], NDArray[Any]] | None = None
    """Makes coarse levels, for formats that have some: zyx voxels and a factor per axis."""
    progress: Progress = lambda _done, _total: None

    def read(self, z_start: int, z_stop: int, channel: int, time: int = 0) -> NDArray[Any]:
        """Read planes `z_start <= z < z_stop` of the excerpt as zyx."""
        start, stop = self.box.start, self.box.stop
        slab = Box((start[0] + z_start, start[1], start[2]), (start[0] + z_stop, stop[1], stop[2]))
        return self.source.read(slab, level=self.level, channel=channel, time=time)

    def slabs(self) -> Iterator[NDArray[Any]]:
        """Read slab after slab (zyx): all planes of a channel, all channels, then times."""
        planes = self.info.shape[0]
        channels = len(self.info.channels)
        done, total = 0, planes * channels * self.info.times
        for time, channel in product(range(self.info.times), range(channels)):
            for z in range(0, planes, self.slab_planes):
                z_stop = min(planes, z + self.slab_planes)
                yield self.read(z, z_stop, channel, time)
                done += z_stop - z
                self.progress(done, total)

    @property
    def slab_planes(self) -> int:
        """Planes per slab: near `slab_bytes`, whole read units of the source where they fit."""
        plane = self.info.shape[1] * self.info.shape[2] * np.dtype(self.info.dtype).itemsize
        planes = max(1, self.slab_bytes // max(1, plane))
        unit = self.source.read_unit[0]
        return max(1, planes // unit * unit if planes >= unit else planes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One file format."""

    name: str
    suffixes: tuple[str, ...]
    """Lower case, with the dot; the first is the usual one."""
    sniff: Callable[[Path, bytes], bool]
    """Whether a path with these first bytes (none for a folder) is of this format."""
    open: Callable[[Path, OpenOptions], FileSource]
    write: Callable[[Excerpt, Path], None] | None = None
