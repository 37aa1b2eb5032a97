"""Checking a volume against what was recorded when it was written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.errors import CorruptionError, NotFoundError
from gateway.volumes.box import Box, Shape, cut_boxes
from gateway.volumes.digest import CELLS_FILE, hash_cells, level_digest
from gateway.volumes.layout import CELL, shard_boxes
from gateway.volumes.ome import documents_digest, shard_key
from gateway.volumes.volume import Volume, read_documents

_PIECE: Shape = (2 * CELL, 4 * CELL, 4 * CELL)
"""Voxels read at once by one thread."""
_BATCH = 32
"""Shards per thread that are handed out at once: a large volume has hundreds of thousands."""


class Finding(NamedTuple):
    """A part of a volume that is not what was written."""

    file: str
    """Key of the damaged file in the store."""
    level: int
    box: Box
    reason: str
    channel: int = 0
    time: int = 0


class CheckedShard(NamedTuple):
    """One shard that was read and hashed again."""

    voxels: int
    findings: tuple[Finding, ...]


class _Shard(NamedTuple):
    level: int
    time: int
    channel: int
    box: Box


def check_cells(volume: Volume, *, threads: int = 1) -> Iterator[Finding]:
    """Check metadata, cell hashes and every voxel of all levels; yield what differs.

    Memory stays near 16 MB per thread for 16-bit voxels, whatever the size of the volume.

    Args:
        volume: The volume.
        threads: How many shards to read and hash at once.

    Raises:
        NotFoundError: The volume has no record: it is not complete, or others wrote it.
        FormatError: Its metadata are no longer those of a volume.
        StoreError: The storage failed.
    """
    yield from check_record(volume)
    for shard in check_shards(volume, threads=threads):
        yield from shard.findings


def check_record(volume: Volume) -> Iterator[Finding]:
    """Check that metadata and cell hashes are those of the digests; reads no voxels.

    Raises:
        NotFoundError: The volume has no record: it is not complete, or others wrote it.
    """
    info, root = volume.info, f"{volume.key}/zarr.json"
    group, arrays = read_documents(volume.store, volume.key)
    extras = group["attributes"].get("gateway", {})
    digests = extras.get("levels", {})
    if info.digest is None or not digests:
        raise NotFoundError(f"{volume.key} has no recorded digest to check it against")
    if documents_digest(group, arrays) != extras.get("metadata"):
        reason = "the metadata, here or in the zarr.json of a level, are not those recorded"
        yield Finding(root, 0, Box.of_shape(info.shape), reason)
    if digests.get(info.levels[0].path) != info.digest:
        yield Finding(root, 0, Box.of_shape(info.shape), "the digest is not that of level 0")
    for level, grid in enumerate(info.levels):
        file, whole = f"{volume.key}/{grid.path}/{CELLS_FILE}", Box.of_shape(grid.shape)
        try:
            recorded = volume.cells(level)
        except (CorruptionError, NotFoundError) as error:
            yield Finding(file, level, whole, str(error))
            continue
        if level_digest(info, level, recorded) != digests.get(grid.path):
            reason = "these cell hashes do not give the digest that the volume records"
            yield Finding(file, level, whole, reason)


def check_shards(volume: Volume, *, threads: int = 1) -> Iterator[CheckedShard]:
    """Read and hash every shard again; levels without readable cell hashes are left out.

    Args:
        volume: The volume.
        threads: How many shards to read and hash at once.
    """
    info = volume.info
    with ThreadPoolExecutor(threads) as pool:
        for level, grid in enumerate(info.levels):
            try:
                recorded = volume.cells(level)
            except (CorruptionError, NotFoundError):
                continue  # `check_record` says so
            places = product(range(info.times), range(len(info.channels)), shard_boxes(grid))
            shards = (_Shard(level, time, channel, box) for time, channel, box in places)
            check = partial(_check_shard, volume, recorded)
            while batch := list(islice(shards, _BATCH * threads)):
                yield from pool.map(check, batch)


def check_lost_shard(volume: Volume, level: int, time: int, channel: int, box: Box) -> bool:
    """Whether the shard of a box is gone although it held something; without a file it reads zero.

    Raises:
        NotFoundError: The volume has no record: it is not complete, or others wrote it.
        CorruptionError: The record does not fit the volume.
        StoreError: The storage failed.
    """
    shard = _Shard(level, time, channel, box)
    if volume.store.exists(f"{volume.key}/{shard_key(volume.info, *shard)}"):
        return False
    return bool(_check_shard(volume, volume.cells(level), shard).findings)


def _check_shard(volume: Volume, recorded: NDArray[np.uint8], shard: _Shard) -> CheckedShard:
    file = f"{volume.key}/{shard_key(volume.info, *shard)}"
    hashes = recorded[shard.time, shard.channel]
    findings = [
        Finding(file, shard.level, cell, reason, shard.channel, shard.time)
        for piece in cut_boxes(shard.box, _PIECE)
        for cell, reason in _check_piece(volume, hashes, shard._replace(box=piece))
    ]
    if findings and not volume.store.exists(file):
        findings = [finding._replace(reason="the file is gone") for finding in findings]
    return CheckedShard(shard.box.voxels, tuple(findings))


def _check_piece(
    volume: Volume, recorded: NDArray[np.uint8], piece: _Shard
) -> Iterator[tuple[Box, str]]:
    """Yield the damaged cells of a piece; where it does not decode, cell by cell."""
    cells = list(cut_boxes(piece.box, (CELL, CELL, CELL)))
    try:
        voxels = _read(volume, piece)
    except CorruptionError:
        if cells == [piece.box]:
            yield piece.box, "its bytes cannot be decoded or fail their checksum"
            return
        for cell in cells:
            yield from _check_piece(volume, recorded, piece._replace(box=cell))
        return
    found = hash_cells(voxels, piece.box)
    places = tuple(found.places[:, -3:].T)
    differs = (recorded[places] != found.hashes).any(axis=1)
    for cell, wrong in zip(cells, differs, strict=True):
        if wrong:
            yield cell, "its voxels differ from those that were written"


def _read(volume: Volume, piece: _Shard) -> NDArray[Any]:
    return volume.read(piece.box, level=piece.level, channel=piece.channel, time=piece.time)
