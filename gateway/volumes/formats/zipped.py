"""A zipped OME-Zarr: a box of one level, written as a stream, that Zarr readers open as it is."""

import json
import zipfile
from dataclasses import replace
from itertools import product
from typing import Any, BinaryIO

import imagecodecs
import numpy as np

from gateway.volumes.box import Box, Shape, cut_boxes
from gateway.volumes.formats.format import Excerpt
from gateway.volumes.model import Level, VolumeInfo
from gateway.volumes.ome import array_document, group_document

_CHUNK: Shape = (64, 128, 128)
_EFFORT = 3


def write_zip(excerpt: Excerpt, out: BinaryIO, name: str) -> None:
    """Write an excerpt as `<name>.ome.zarr` inside a zip file, chunk by chunk.

    The chunks are compressed, the entries of the zip are not: readers fetch single ones.
    """
    info = _with_level(excerpt.info)
    root = f"{name}.ome.zarr"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
        packed.writestr(f"{root}/zarr.json", _text(group_document(info)))
        packed.writestr(f"{root}/0/zarr.json", _text(_array(info)))
        boxes = list(cut_boxes(Box.of_shape(info.shape), info.levels[0].chunk))
        moments = list(product(range(info.times), range(len(info.channels)), boxes))
        for done, (time, channel, box) in enumerate(moments, start=1):
            key = _chunk_key(info, time, channel, box)
            packed.writestr(f"{root}/0/c/{key}", _encode(excerpt, info, box, channel, time))
            excerpt.progress(done, len(moments))


def _with_level(info: VolumeInfo) -> VolumeInfo:
    z, y, x = (min(n, c) for n, c in zip(info.shape, _CHUNK, strict=True))
    level = Level(
        path="0",
        shape=info.shape,
        factor=(1, 1, 1),
        voxel_um=info.voxel_um,
        origin_um=info.origin_um,
        chunk=(z, y, x),
        shard=(z, y, x),
    )
    return replace(info, levels=(level,))


def _array(info: VolumeInfo) -> dict[str, Any]:
    document = array_document(info, info.levels[0])
    document["codecs"] = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": _EFFORT, "checksum": False}},
    ]
    return document


def _encode(excerpt: Excerpt, info: VolumeInfo, box: Box, channel: int, time: int) -> bytes:
    """Return a whole chunk: beyond the edge of the volume it holds zeros."""
    place = box.shift(excerpt.box.start)
    voxels = excerpt.source.read(place, level=excerpt.level, channel=channel, time=time)
    chunk = info.levels[0].chunk
    if voxels.shape != chunk:
        whole = np.zeros(chunk, voxels.dtype)
        whole[Box.of_shape(box.shape).slices()] = voxels
        voxels = whole
    content = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("<")).tobytes()
    return bytes(imagecodecs.zstd_encode(content, level=_EFFORT))


def _chunk_key(info: VolumeInfo, time: int, channel: int, box: Box) -> str:
    lead = (time, channel) if info.times > 1 else (channel,)
    index = (a // n for a, n in zip(box.start, info.levels[0].chunk, strict=True))
    return "/".join(map(str, (*lead, *index)))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, allow_nan=False)
