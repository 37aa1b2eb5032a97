"""Volumes of other formats as OME-Zarr 0.5: each file is made when it is asked for."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np

from gateway.errors import NotFoundError
from gateway.volumes.box import Box, Shape
from gateway.volumes.model import Level, VolumeInfo
from gateway.volumes.ome import array_document, group_document
from gateway.volumes.volume import Volume

_MOST_BYTES = 2**20
_FEWEST_BYTES = 2**16
_EFFORT = 1


class MadeVolume:
    """A volume whose OME-Zarr files do not exist: each is made from its voxels."""

    def __init__(self, volume: Volume) -> None:
        """Serve `volume`; nothing is read yet."""
        self._volume = volume
        self._info = _served_info(volume.info)
        self._documents = dict(_documents(self._info))

    @property
    def info(self) -> VolumeInfo:
        """The metadata as they are served."""
        return self._info

    def make(self, key: str) -> bytes:
        """Return the content of the file of a key.

        Raises:
            NotFoundError: OME-Zarr has no such file, or the chunk is outside the volume.
            CorruptionError: The voxels cannot be decoded.
            StoreError: The storage failed.
        """
        document = self._documents.get(key)
        return document if document is not None else self._chunk(key)

    def _chunk(self, key: str) -> bytes:
        parts = key.split("/")
        axes = len(self._info.axes)
        fits = len(parts) == axes + 2 and parts[1] == "c" and all(map(_is_index, parts[2:]))
        number = int(parts[0]) if fits and _is_index(parts[0]) else -1
        if not 0 <= number < len(self._info.levels):
            raise NotFoundError(f"there is no {key}")
        level = self._info.levels[number]
        *lead, z, y, x = (int(part) for part in parts[2:])
        start = _shape(i * c for i, c in zip((z, y, x), level.chunk, strict=True))
        times = lead[0] if axes > 4 else 0  # noqa: PLR2004 - tczyx has five axes
        inside = all(a < n for a, n in zip(start, level.shape, strict=True))
        if not inside or lead[-1] >= len(self._info.channels) or times >= self._info.times:
            raise NotFoundError(f"there is no {key}: it lies outside the volume")
        stop = _shape(
            min(a + c, n) for a, c, n in zip(start, level.chunk, level.shape, strict=True)
        )
        voxels = self._volume.read(Box(start, stop), level=number, channel=lead[-1], time=times)
        if voxels.shape != level.chunk:  # Zarr stores chunks at the far edges whole
            whole = np.zeros(level.chunk, voxels.dtype)
            whole[tuple(slice(n) for n in voxels.shape)] = voxels
            voxels = whole
        return _encode(np.ascontiguousarray(voxels).astype(f"<{voxels.dtype.str[1:]}", copy=False))


def _served_info(info: VolumeInfo) -> VolumeInfo:
    """Name levels by number, choose chunks, and keep to oneself where the voxels lie."""
    itemsize = np.dtype(info.dtype).itemsize
    levels = []
    for number, level in enumerate(info.levels):
        chunk = serving_chunk(level.chunk, level.shape, itemsize)
        levels.append(replace(level, path=str(number), chunk=chunk, shard=chunk))
    return replace(info, levels=tuple(levels), attributes={})


def serving_chunk(stored: Shape, shape: Shape, itemsize: int) -> Shape:
    """Return the chunk to serve: the stored one, cut or joined until it suits a viewer.

    A part or a multiple of what is stored costs the fewest decodings.
    """
    chunk = list(stored)
    while math.prod(chunk) * itemsize > _MOST_BYTES:
        axis = max(range(3), key=lambda a: chunk[a])
        chunk[axis] = -(-chunk[axis] // 2)
    while math.prod(chunk) * itemsize < _FEWEST_BYTES:
        room = [axis for axis in range(3) if chunk[axis] < shape[axis]]
        if not room:
            break
        chunk[min(room, key=lambda a: chunk[a])] *= 2
    return _shape(chunk)


def _documents(info: VolumeInfo) -> Iterator[tuple[str, bytes]]:
    yield "zarr.json", _json(group_document(info))
    for level in info.levels:
        yield f"{level.path}/zarr.json", _json(_array(info, level))


def _array(info: VolumeInfo, level: Level) -> dict[str, Any]:
    """Return the document of a level whose chunks are files of their own."""
    document = array_document(info, level)
    packed = {"name": "zstd", "configuration": {"level": _EFFORT, "checksum": False}}
    document["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, packed]
    return document


def _encode(voxels: Any) -> bytes:
    return bytes(imagecodecs.zstd_encode(voxels.tobytes(), level=_EFFORT))


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and text == str(int(text))


def _shape(values: Any) -> Shape:
    z, y, x = (int(value) for value in values)
    return (z, y, x)
