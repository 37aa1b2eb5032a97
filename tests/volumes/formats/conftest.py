"""A small volume with odd sides, and sources that live in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.volumes.box import Box, Shape
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.registry import open_source
from gateway.volumes.model import LABEL_DTYPES, Channel, VolumeInfo

SHAPE: Shape = (7, 33, 41)


class MemorySource:
    """A source over a `tczyx` array."""

    def __init__(self, voxels: NDArray[Any], info: VolumeInfo) -> None:
        self.voxels = voxels
        self.info = info
        self.read_unit = (1, 1, 1)

    def read(
        self, box: Box, *, level: int = 0, channel: int | None = None, time: int = 0
    ) -> NDArray[Any]:
        del level
        channels = slice(None) if channel is None else channel
        return np.ascontiguousarray(self.voxels[(time, channels, *box.slices())])


def _make_source(dtype: str, *, times: int = 1, channels: int = 1) -> MemorySource:
    """Make a source whose values span the dtype."""
    rng = np.random.default_rng(11)
    kind = np.dtype(dtype).kind
    low, high = (-1e6, 1e6) if kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    whole = (times, channels, *SHAPE)
    voxels = rng.uniform(low, high, whole) if kind == "f" else rng.integers(low, high, whole, dtype)
    info = VolumeInfo(
        kind="labels" if dtype in LABEL_DTYPES else "image",
        dtype=dtype,
        shape=SHAPE,
        voxel_um=(5.3, 0.325, 0.1),
        origin_um=(10.6, -3.25, 7.0),
        channels=tuple(
            Channel(name=f"stain{i}", colour=c)
            for i, c in zip(range(channels), ("FF0000", "00FF00", "0000FF"), strict=False)
        ),
        times=times,
        time_step_s=2.5 if times > 1 else None,
    )
    return MemorySource(voxels.astype(dtype), info)


def _read_all(path: Any, **said: Any) -> tuple[VolumeInfo, NDArray[Any]]:
    """Open a path and read all of it as `tczyx`."""
    source = open_source(path, OpenOptions(**said))
    info = source.info
    box = Box.of_shape(info.shape)
    return info, np.stack([source.read(box, time=t) for t in range(info.times)])


@pytest.fixture
def make_source() -> Callable[..., MemorySource]:
    """Return a function from dtype, times and channels to a source that spans the dtype."""
    return _make_source


@pytest.fixture
def read_all() -> Callable[..., tuple[VolumeInfo, NDArray[Any]]]:
    """Return a function from a path and options to all there is: metadata and `tczyx` voxels."""
    return _read_all


@pytest.fixture
def voxels() -> NDArray[np.uint16]:
    return np.random.default_rng(3).integers(0, 60_000, SHAPE).astype(np.uint16)
