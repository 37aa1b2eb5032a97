"""A survey of what lies at a URL: its format, axes, voxel size and levels, by metadata alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateway.errors import FormatError
from gateway.volumes.box import Shape, Vector
from gateway.volumes.formats.dtypes import choose_conversion
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.metadata import Grid, choose_voxel_um, map_axes, name_channels
from gateway.volumes.inplace import n5, ome_zarr, precomputed, zarr_array
from gateway.volumes.inplace.arrays import LinkedArray, open_stored
from gateway.volumes.inplace.described import Described, StoredLevel
from gateway.volumes.model import Level, VolumeInfo
from gateway.volumes.objects import public_url
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits

_FORMATS: tuple[Callable[[Store], Described | None], ...] = (
    ome_zarr.describe,
    zarr_array.describe,
    precomputed.describe,
    n5.describe,
)


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found, as a volume and as the arrays behind it."""

    format: str
    info: VolumeInfo
    arrays: tuple[LinkedArray, ...]


def survey(target: Store, options: OpenOptions) -> Survey:
    """Read the metadata of the image at the root of a store.

    Args:
        target: Only files whose names the metadata give are opened; nothing is listed.
        options: What the metadata do not say.

    Raises:
        FormatError: Nothing there is known, or voxel size, axes or dtype cannot be told.
        NotFoundError: The metadata name an array that is not there.
    """
    described = next((found for find in _FORMATS if (found := find(target))), None)
    if described is None:
        raise FormatError(
            f"nothing at {target.url} is known; expected the root of an OME-Zarr image (zarr.json "
            "or .zattrs), a Zarr array, an N5 dataset or group (attributes.json) or a precomputed "
            "volume (info)"
        )
    context = IoLimits().context()
    opened = [
        open_stored(target, level.driver, level.path, dict(level.options), context)
        for level in described.levels
    ]
    place = public_url(target.url)
    grids = [map_axes(place, described.axes, array.shape, options) for array in opened]
    _check_levels(grids, target)
    stored = opened[0].dtype.numpy_dtype
    kind = options.kind or described.kind
    conversion = choose_conversion(place, stored, kind, options.as_dtype)
    levels = _levels(described, grids, opened, options, place)
    info = VolumeInfo(
        kind=conversion.kind,
        dtype=conversion.dtype,
        shape=levels[0].shape,
        voxel_um=levels[0].voxel_um,
        origin_um=levels[0].origin_um,
        channels=name_channels(place, grids[0].channels, options, described.channels),
        times=grids[0].length("t"),
        time_step_s=described.time_step_s if grids[0].length("t") > 1 else None,
        levels=levels,
        digest=described.digest if options == OpenOptions() else None,
        attributes={"linked_from": target.url, "format": described.format},
    )
    arrays = tuple(
        LinkedArray.model_validate(
            {
                "driver": level.driver,
                "path": level.path,
                "options": dict(level.options),
                "axes": grid.axes,
                "shape": grid.stored,
            }
        )
        for level, grid in zip(described.levels, grids, strict=True)
    )
    return Survey(described.format, info, arrays)


def _check_levels(grids: list[Grid], target: Store) -> None:
    finest = grids[0]
    if "s" in finest.axes:
        raise FormatError(
            f"{target.url} keeps colours as samples ({finest.axes}), which cannot be registered in "
            "place; ingest it"
        )
    for number, grid in enumerate(grids):
        lead = [(g.channels, g.length("t")) for g in (grid, finest)]
        if lead[0] != lead[1] or any(a > b for a, b in zip(grid.shape, finest.shape, strict=True)):
            raise FormatError(
                f"level {number} of {target.url} has shape {grid.stored}, against {finest.stored} "
                "of level 0; expected no more voxels and the same channels and times"
            )


def _levels(
    described: Described,
    grids: list[Grid],
    opened: list[Any],
    options: OpenOptions,
    place: str,
) -> tuple[Level, ...]:
    factors = [_factor(described, grids, number) for number in range(len(grids))]
    finest = described.levels[0]
    found = tuple(
        unit * size if unit is not None and finest.scale else None
        for unit, size in zip(described.um_per_unit, finest.scale or (0, 0, 0), strict=True)
    )
    voxel_um, _ = choose_voxel_um(place, found, options)
    levels = []
    for number, (level, grid, array) in enumerate(
        zip(described.levels, grids, opened, strict=True)
    ):
        layout = array.chunk_layout
        levels.append(
            Level(
                path=level.path or str(number),
                shape=grid.shape,
                factor=_shape(max(1, round(f)) for f in factors[number]),
                voxel_um=_vector(u * f for u, f in zip(voxel_um, factors[number], strict=True)),
                origin_um=_origin(level, finest, voxel_um, factors[number]),
                chunk=_cut(layout.read_chunk.shape, grid),
                shard=_cut(layout.write_chunk.shape, grid),
            )
        )
    return tuple(levels)


def _factor(described: Described, grids: list[Grid], number: int) -> Vector:
    """Return the voxels of level 0 per voxel: as the metadata say, else by the shapes."""
    fine, coarse = described.levels[0].scale, described.levels[number].scale
    if fine and coarse:
        return _vector(c / f for f, c in zip(fine, coarse, strict=True))
    shapes = zip(grids[0].shape, grids[number].shape, strict=True)
    return _vector(max(1, round(f / c)) for f, c in shapes)


def _origin(level: StoredLevel, finest: StoredLevel, voxel_um: Vector, factor: Vector) -> Vector:
    """Convert a translation by the ratio of the voxel size to the scale beside it."""
    if finest.scale is None:
        return _vector((f - 1) / 2 * um for f, um in zip(factor, voxel_um, strict=True))
    parts = zip(level.translation, finest.scale, voxel_um, strict=True)
    return _vector(move / size * um for move, size, um in parts)


def _cut(chunk: Any, grid: Grid) -> Shape:
    sizes = dict(zip(grid.axes, chunk or grid.stored, strict=True))
    return _shape(min(sizes.get(a) or 1, n) for a, n in zip("zyx", grid.shape, strict=True))


def _vector(values: Any) -> Vector:
    z, y, x = (float(np.float64(value)) for value in values)
    return (z, y, x)


def _shape(values: Any) -> Shape:
    z, y, x = (int(value) for value in values)
    return (z, y, x)
