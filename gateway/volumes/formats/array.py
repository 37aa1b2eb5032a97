"""Sources over anything that can be read by start and stop along its own axes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.formats.dtypes import choose_conversion
from gateway.volumes.formats.format import FileSource, OpenOptions
from gateway.volumes.formats.metadata import Grid, choose_voxel_um, map_axes, name_channels
from gateway.volumes.model import Channel, VolumeInfo

ReadRange = Callable[[Sequence[int], Sequence[int]], NDArray[Any]]
"""Reads `start <= index < stop` along the stored axes."""


def array_source(
    *,
    path: Path,
    files: tuple[Path, ...],
    format_name: str,
    read_range: ReadRange,
    stored: Sequence[int],
    dtype: DTypeLike,
    axes: str | None,
    options: OpenOptions,
    voxel_um: Sequence[float | None] = (None, None, None),
    origin_um: Vector = (0.0, 0.0, 0.0),
    channels: Sequence[Channel] = (),
    time_step_s: float | None = None,
    unit: Sequence[int] | None = None,
    details: Mapping[str, object] | None = None,
) -> FileSource:
    """Make a source of one stored array of 1 to 6 axes.

    Args:
        path: What errors name.
        files: Every file read.
        format_name: For people.
        read_range: Reads along the stored axes.
        stored: Shape as stored.
        dtype: As stored.
        axes: What the file says about its axes, None to guess from their number.
        options: What the person says.
        voxel_um: What the file says, zyx, None where it is silent.
        origin_um: Centre of the first voxel.
        channels: Names, colours and windows the file knows.
        time_step_s: Seconds between time points.
        unit: Chunk shape along the stored axes; None where any box costs what it holds.
        details: More the file said.
    """
    grid = map_axes(path, axes, stored, options)
    conversion = choose_conversion(path, dtype, options.kind, options.as_dtype)
    size, origin_of_size = choose_voxel_um(path, voxel_um, options)
    info = VolumeInfo(
        kind=conversion.kind,
        dtype=conversion.dtype,
        shape=grid.shape,
        voxel_um=size,
        origin_um=origin_um,
        channels=name_channels(path, grid.channels, options, channels),
        times=grid.length("t"),
        time_step_s=time_step_s if grid.length("t") > 1 else None,
    )
    return FileSource(
        info=info,
        read_unit=_unit(grid, unit),
        fetch=lambda box, channel, time: _fetch(read_range, grid, box, channel, time),
        conversion=conversion,
        path=path,
        files=files,
        format=format_name,
        voxel_um_from=origin_of_size,
        details=details or {},
    )


def _unit(grid: Grid, unit: Sequence[int] | None) -> Shape:
    if unit is None:
        return (1, 1, 1)
    sizes = dict(zip(grid.axes, unit, strict=True))
    z, y, x = (min(sizes.get(a, 1), grid.length(a)) for a in "zyx")
    return (z, y, x)


def _fetch(read_range: ReadRange, grid: Grid, box: Box, channel: int, time: int) -> NDArray[Any]:
    sample_count = grid.length("s")
    where = {
        "t": (time, time + 1),
        "c": (channel // sample_count, channel // sample_count + 1),
        "s": (channel % sample_count, channel % sample_count + 1),
        "1": (0, 1),
    }
    where |= {a: (box.start[i], box.stop[i]) for i, a in enumerate("zyx")}
    ranges = [where[a] for a in grid.axes]
    got = read_range([a for a, _ in ranges], [b for _, b in ranges])
    spatial = [a for a in grid.axes if a in "zyx"]
    got = got.reshape([b - a for (a, b), letter in zip(ranges, grid.axes, strict=True)
                       if letter in "zyx"])  # fmt: skip
    got = got.transpose([spatial.index(a) for a in "zyx" if a in spatial])
    missing = tuple(i for i, a in enumerate("zyx") if a not in spatial)
    return np.expand_dims(got, missing)
