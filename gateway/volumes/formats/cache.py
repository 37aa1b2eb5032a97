"""A source that keeps what it decoded last, within a number of bytes."""

import math
from collections import OrderedDict
from collections.abc import Hashable
from itertools import product
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.volumes.box import Box, Shape
from gateway.volumes.model import VolumeInfo
from gateway.volumes.source import Source

_BRICK_BYTES = 4 << 20


class DecodedCache:
    """The pieces decoded last, of any number of sources, oldest dropped first."""

    def __init__(self, limit_bytes: int) -> None:
        """Keep at most `limit_bytes`; 0 keeps none."""
        self._limit = limit_bytes
        self._held: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes kept now."""
        return self._bytes

    def get(self, key: Hashable) -> NDArray[Any] | None:
        """Return what is kept under `key`, or None."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, piece: NDArray[Any]) -> None:
        """Keep `piece`, dropping the oldest ones for it; too large a piece is not kept."""
        with self._lock:
            if piece.nbytes > self._limit or key in self._held:
                return
            self._held[key] = piece
            self._bytes += piece.nbytes
            while self._bytes > self._limit:
                _, oldest = self._held.popitem(last=False)
                self._bytes -= oldest.nbytes


class CachedSource:
    """Reads a source in whole bricks of its read units and keeps them in a shared cache."""

    def __init__(self, source: Source, cache: DecodedCache, key: Hashable) -> None:
        """Wrap `source`; `key` tells it from the others that share `cache`."""
        self._source = source
        self._cache = cache
        self._key = key
        info, unit = source.info, source.read_unit
        plane = math.prod(unit) * np.dtype(info.dtype).itemsize
        depth = max(1, _BRICK_BYTES // plane)
        self._brick: Shape = (
            min(info.shape[0], max(unit[0], depth // unit[0] * unit[0])),
            unit[1],
            unit[2],
        )

    @property
    def info(self) -> VolumeInfo:
        """See `Source`."""
        return self._source.info

    @property
    def read_unit(self) -> Shape:
        """See `Source`."""
        return self._source.read_unit

    def read(
        self, box: Box, *, level: int = 0, channel: int | None = None, time: int = 0
    ) -> NDArray[Any]:
        """Read a box; see `Source`."""
        if self.read_unit == (1, 1, 1) or level:
            return self._source.read(box, level=level, channel=channel, time=time)
        if channel is None:
            channels = range(len(self.info.channels))
            return np.stack([self.read(box, channel=c, time=time) for c in channels])
        out = np.empty(box.shape, self.info.dtype)
        spans = (
            range(a // b, -(-stop // b))
            for a, stop, b in zip(box.start, box.stop, self._brick, strict=True)
        )
        for z, y, x in product(*spans):
            corner = (z * self._brick[0], y * self._brick[1], x * self._brick[2])
            brick = Box((0, 0, 0), self._brick).shift(corner)
            brick = brick.intersect(Box.of_shape(self.info.shape)) or brick
            part = brick.intersect(box)
            if part is not None:
                voxels = self._load(brick, channel, time)
                out[part.slices(box.start)] = voxels[part.slices(brick.start)]
        return out

    def _load(self, brick: Box, channel: int, time: int) -> NDArray[Any]:
        key = (self._key, brick.start, channel, time)
        found = self._cache.get(key)
        if found is None:
            found = self._source.read(brick, channel=channel, time=time)
            self._cache.put(key, found)
        return found
