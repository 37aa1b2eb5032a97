"""Small volumes with names: what the examples of tools run on, the same on every machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import NotFoundError
from gateway.volumes.model import Channel, VolumeInfo

_SHAPE = (40, 96, 112)
_VOXEL_UM = (2.0, 1.0, 1.0)
# Centre in voxels, radius in micrometres, brightness.
_BLOBS = (((14, 30, 36), 16, 3000), ((26, 62, 76), 22, 5000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One small volume."""

    info: VolumeInfo
    voxels: NDArray[Any]
    """czyx."""


def make_fixture(name: str) -> Fixture:
    """Return the volume of that name.

    Raises:
        NotFoundError: There is none; says which there are.
    """
    if name not in _MAKERS:
        raise NotFoundError(f"no example volume {name!r}; there is {', '.join(fixture_names())}")
    return _MAKERS[name]()


def fixture_names() -> tuple[str, ...]:
    """Return the names of all example volumes, sorted."""
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


def _image(voxels: NDArray[Any], names: tuple[str, ...]) -> Fixture:
    channels = tuple(Channel(name=name) for name in names)
    info = VolumeInfo(
        kind="image",
        dtype=str(voxels.dtype),
        shape=_SHAPE,
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
    "two_blobs": _two_blobs,
    "two_blobs_labels": _two_blobs_labels,
    "two_channels": _two_channels,
}
