"""Small data sets with names: what the examples of tools run on, the same on every machine."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import NotFoundError
from gateway.volumes.box import Box, Shape
from gateway.volumes.dataset import entry_key
from gateway.volumes.model import Channel, VolumeInfo, VolumeKind
from gateway.volumes.points import write_points
from gateway.volumes.ref import Ref
from gateway.volumes.store import Store
from gateway.volumes.tiles import Tile, TileGridInfo, write_tiles
from gateway.volumes.writer import Reduce, create_volume

_SHAPE = (40, 96, 112)
_VOXEL_UM = (2.0, 1.0, 1.0)
_GRID = (24, 140, 140)
# Centre in voxels, radius in micrometres, brightness.
_BLOBS = (((14, 30, 36), 16, 3000), ((26, 62, 76), 22, 5000))


_REDUCE: dict[VolumeKind, Reduce] = {"image": reduce_mean, "labels": reduce_mode}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One small data set: a volume, a points table, or a grid of tiles."""

    info: VolumeInfo
    voxels: NDArray[Any]
    """czyx."""
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Of a points table; where there are any, the voxels are not used."""
    tiles: tuple[tuple[Box, tuple[float, float, float]], ...] = ()
    """Of a grid of tiles cut from the volume: where each lies, and where the stage says it does."""


def make_fixture(name: str) -> Fixture:
    """Return the data set of that name.

    Raises:
        NotFoundError: There is none; says which there are.
    """
    if name not in _MAKERS:
        raise NotFoundError(f"no example data {name!r}; there is {', '.join(fixture_names())}")
    return _MAKERS[name]()


def put_fixture(store: Store, name: str, ref: Ref) -> None:
    """Write the data set of that name into a store.

    Raises:
        NotFoundError: There is no such data set.
        ExistsError: The name is taken.
    """
    made = make_fixture(name)
    if made.columns:
        write_points(store, entry_key(ref, "points"), made.columns)
    elif made.tiles:
        _put_tiles(store, entry_key(ref, "tiles"), made)
    else:
        kind = made.info.kind
        writer = create_volume(store, entry_key(ref, kind), made.info, _REDUCE[kind])
        cells = [writer.write(Box.of_shape(made.info.shape), made.voxels)]
        cells += [
            writer.write_level(number, Box.of_shape(level.shape))
            for number, level in enumerate(writer.info.levels)
            if number > writer.derived
        ]
        writer.finish(cells)


def _put_tiles(store: Store, key: str, made: Fixture) -> None:
    tiles = []
    for number, (box, nominal) in enumerate(made.tiles):
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(made.voxels[0][box.slices()]))
        content, file = buffer.getvalue(), f"tile_{number}.npy"
        store.put(f"{key}/{file}", content)
        tile = Tile(
            file=file,
            nominal_voxels=nominal,
            shape=box.shape,
            checksum=f"blake3:{blake3(content).hexdigest()}",
            bytes=len(content),
        )
        tiles.append(tile)
    info = made.info
    grid = TileGridInfo(
        tiles=tuple(tiles), voxel_um=info.voxel_um, dtype=info.dtype, channels=info.channels
    )
    write_tiles(store, key, grid)


def fixture_names() -> tuple[str, ...]:
    """Return the names of all example data sets, sorted."""
    return tuple(sorted(_MAKERS))


# Whole-number arithmetic only: floating point could differ between machines, and so digests.
def _two_blobs() -> Fixture:
    z, y, x = np.indices(_SHAPE, dtype=np.int64)
    noise = ((z * 73856093) ^ (y * 19349663) ^ (x * 83492791)) // 128 % 61
    voxels = 100 + noise
    for centre, radius, bright in _BLOBS:
        voxels += bright * np.maximum(0, radius**2 - _distance2(centre)) // radius**2
    return _image(voxels.astype(np.uint16)[np.newaxis], ("nuclei",))


def _two_channels() -> Fixture:
    blobs = _two_blobs().voxels[0]
    ramp = np.broadcast_to(np.arange(_SHAPE[0])[:, np.newaxis, np.newaxis] * 50, _SHAPE)
    return _image(np.stack([blobs, ramp.astype(np.uint16)]), ("nuclei", "ramp"))


def _two_blobs_labels() -> Fixture:
    voxels = np.zeros(_SHAPE, np.uint32)
    for label, (centre, radius, _) in enumerate(_BLOBS, 1):
        voxels[_distance2(centre) < radius**2] = label
    info = VolumeInfo(kind="labels", dtype="uint32", shape=_SHAPE, voxel_um=_VOXEL_UM)
    return Fixture(info=info, voxels=voxels[np.newaxis])


def _empty() -> Fixture:
    return _image(np.zeros((1, *_SHAPE), np.uint16), ("nothing",))


def _four_tiles() -> Fixture:
    """Cut many blobs into 2 x 2 tiles that overlap by 20 voxels; the stage errs by up to 3."""
    z, y, x = np.indices(_GRID, dtype=np.int64)
    voxels = 100 + ((z * 73856093) ^ (y * 19349663) ^ (x * 83492791)) // 128 % 61
    for number in range(90):
        spot = (number * 7 % _GRID[0], number * 53 % _GRID[1], number * 97 % _GRID[2])
        away = 4 * (z - spot[0]) ** 2 + (y - spot[1]) ** 2 + (x - spot[2]) ** 2
        voxels += (900 + 37 * number) * np.maximum(0, 81 - away) // 81
    made = _image(voxels.astype(np.uint16)[np.newaxis], ("nuclei",))
    tile: Shape = (24, 80, 80)
    errors = ((0.0, 0.0, 0.0), (1.0, 2.0, -3.0), (-1.0, 3.0, 1.0), (0.0, -2.0, 2.0))
    corners: list[Shape] = [(0, a, b) for a in (0, 60) for b in (0, 60)]
    tiles = tuple(
        (
            Box(start, (tile[0], start[1] + 80, start[2] + 80)),
            (e[0], start[1] + e[1], start[2] + e[2]),
        )
        for start, e in zip(corners, errors, strict=True)
    )
    return Fixture(info=made.info, voxels=made.voxels, tiles=tiles)


def _three_points() -> Fixture:
    columns = {
        "z_um": np.asarray([28.0, 52.0, 10.0]),
        "y_um": np.asarray([30.0, 62.0, 80.0]),
        "x_um": np.asarray([36.0, 76.0, 20.0]),
        "brightness": np.asarray([3000, 5000, 0]),
    }
    made = _empty()
    return Fixture(info=made.info, voxels=made.voxels, columns=columns)


def _image(voxels: NDArray[Any], names: tuple[str, ...]) -> Fixture:
    channels = tuple(Channel(name=name) for name in names)
    info = VolumeInfo(
        kind="image",
        dtype=str(voxels.dtype),
        shape=voxels.shape[-3:],
        voxel_um=_VOXEL_UM,
        channels=channels,
    )
    return Fixture(info=info, voxels=voxels)


def _distance2(centre: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return the squared distance in micrometres of every voxel from a centre."""
    z, y, x = np.indices(_SHAPE, dtype=np.int64)
    a, b, c = centre
    squared: NDArray[np.int64] = 4 * (z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2
    return squared


_MAKERS: dict[str, Callable[[], Fixture]] = {
    "empty": _empty,
    "four_tiles": _four_tiles,
    "three_points": _three_points,
    "two_blobs": _two_blobs,
    "two_blobs_labels": _two_blobs_labels,
    "two_channels": _two_channels,
}
