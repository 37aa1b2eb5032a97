"""Checking a volume against what was recorded when it was written."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.errors import CorruptionError, NotFoundError
from gateway.volumes.box import Box, cut_boxes
from gateway.volumes.digest import cell_box, hash_cells, level_digest
from gateway.volumes.layout import CELL, shard_boxes
from gateway.volumes.ome import documents_digest
from gateway.volumes.volume import Volume, read_documents


class Finding(NamedTuple):
    """A part of a volume that is not what was written."""

    level: int
    box: Box
    reason: str
    channel: int = 0
    time: int = 0


def check_cells(volume: Volume) -> Iterator[Finding]:
    """Recompute all hashes of a volume and yield what differs from the record.

    Metadata and every level are checked, one shard in memory at a time. What cannot be decoded
    is found too, cell by cell.

    Raises:
        NotFoundError: The volume has no record: it is not complete, or others wrote it.
        FormatError: Its metadata are no longer those of a volume.
        StoreError: The storage failed.
    """
    info = volume.info
    group, arrays = read_documents(volume.store, volume.key)
    extras = group["attributes"].get("gateway", {})
    digests = extras.get("levels", {})
    if info.digest is None or not digests:
        raise NotFoundError(f"{volume.key} has no recorded digest to check it against")
    if documents_digest(group, arrays) != extras.get("metadata"):
        reason = "the metadata in its zarr.json files are not those recorded"
        yield Finding(0, Box.of_shape(info.shape), reason)
    if digests.get(info.levels[0].path) != info.digest:
        yield Finding(0, Box.of_shape(info.shape), "its digest is not that of level 0")
    for level, grid in enumerate(info.levels):
        yield from _check_level(volume, level, digests.get(grid.path))


def _check_level(volume: Volume, level: int, digest: str | None) -> Iterator[Finding]:
    info, grid = volume.info, volume.info.levels[level]
    try:
        recorded = volume.cells(level)
    except (CorruptionError, NotFoundError) as error:
        yield Finding(level, Box.of_shape(grid.shape), f"its cell hashes cannot be read: {error}")
        return
    if level_digest(info, level, recorded) != digest:
        reason = "its cell hashes, shape, dtype or voxel size are not those of its digest"
        yield Finding(level, Box.of_shape(grid.shape), reason)
    for time, channel in product(range(info.times), range(len(info.channels))):
        for shard in shard_boxes(grid):
            hashes = recorded[time, channel]
            yield from _check_box(volume, Finding(level, shard, "", channel, time), hashes)


def _check_box(volume: Volume, place: Finding, recorded: NDArray[np.uint8]) -> Iterator[Finding]:
    level, box, _, channel, time = place
    try:
        voxels = volume.read(box, level=level, channel=channel, time=time)
    except CorruptionError as error:
        cells = list(cut_boxes(box, (CELL, CELL, CELL)))
        if cells == [box]:
            yield place._replace(reason=str(error))
            return
        for cell in cells:
            yield from _check_box(volume, place._replace(box=cell), recorded)
        return
    found = hash_cells(voxels, box, level=level, channel=channel, time=time)
    indices = tuple(found.places[:, -3:].T)
    differs = (recorded[indices] != found.hashes).any(axis=1)
    for z, y, x in found.places[differs, -3:].tolist():
        cell = cell_box(volume.info.levels[level].shape, (z, y, x))
        yield place._replace(box=cell, reason="its voxels are not those that were written")
