"""What a viewer shows as black and as full colour: from the metadata, else from the voxels."""

import time
from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.volumes.box import Box, Shape
from gateway.volumes.volume import Volume

Window = tuple[float, float]

_SAMPLE_VOXELS = 4_000_000
_MOST_BLOCKS = 8
_LOW, _HIGH = 1.0, 99.8
"""Percentiles: a few hot pixels do not darken the rest, a few dead ones do not brighten it."""
_KEPT = 512
_LOOKED_AT_S = 300

_known: OrderedDict[tuple[object, ...], Window] = OrderedDict()
_lock = Lock()


def display_window(volume: Volume, channel: int) -> Window:
    """Return the intensities that a viewer shall show as black and as full colour.

    The metadata say it where somebody chose a window; else robust percentiles of a coarse level.

    Raises:
        CorruptionError: A chunk cannot be decoded.
        StoreError: The storage failed.
    """
    said = volume.info.channels[channel].window
    if said is not None:
        return said
    info = volume.info
    # what has no digest, such as a volume of others, may change: it is looked at again in a while
    until = None if info.digest is not None else time.monotonic() // _LOOKED_AT_S
    key = (volume.store.url, volume.key, info.digest, info.made_by, channel, until)
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    window = robust_window(sample_channel(volume, channel))
    with _lock:
        _known[key] = window
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return window


def robust_window(values: NDArray[Any]) -> Window:
    """Return low and high percentiles of values, never equal; zeros are taken for no data."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    told = finite[finite != 0]
    if not told.size:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(told, (_LOW, _HIGH)))
    if high <= low:
        low, high = float(told.min()), float(told.max())
    if high <= low:
        low, high = min(0.0, low), max(0.0, high)
    return (low, high)


def sample_channel(
    volume: Volume, channel: int, level: int = -1, most: int = _SAMPLE_VOXELS
) -> NDArray[Any]:
    """Read a level of one channel as a flat array; of a large level, blocks along its diagonal.

    Raises:
        CorruptionError: A chunk cannot be decoded.
        StoreError: The storage failed.
    """
    grid = volume.info.levels[level]
    boxes = sample_boxes(grid.shape, grid.chunk, most)
    return np.concatenate([volume.read(box, level=level, channel=channel).ravel() for box in boxes])


def sample_boxes(shape: Shape, chunk: Shape, most: int = _SAMPLE_VOXELS) -> list[Box]:
    """Return a level whole, or chunks spread along its diagonal with `most` voxels in all."""
    whole = Box.of_shape(shape)
    if whole.voxels <= most:
        return [whole]
    size = [min(n, c) for n, c in zip(shape, chunk, strict=True)]
    while size[0] * size[1] * size[2] > most:
        size[size.index(max(size))] //= 2
    count = max(1, min(_MOST_BLOCKS, most // (size[0] * size[1] * size[2])))
    boxes = []
    for number in range(count):
        share = (number + 0.5) / count
        start = [
            min(int(share * n) // c * c, n - s) for n, c, s in zip(shape, size, size, strict=True)
        ]
        stop = [a + s for a, s in zip(start, size, strict=True)]
        boxes.append(Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])))
    return boxes
