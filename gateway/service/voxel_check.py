"""Recomputes the hashes of a volume's cells, all levels, and names the files that differ."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import CorruptionError, GatewayError
from gateway.volumes.box import Box, Shape, cut_boxes
from gateway.volumes.digest import CELLS_FILE, hash_cells, level_digest
from gateway.volumes.layout import CELL, shard_boxes
from gateway.volumes.volume import Volume

_PIECE: Shape = (2 * CELL, 4 * CELL, 4 * CELL)
"""Voxels read at once by one thread."""

Progress = Callable[[int], None]
"""Told the number of voxels checked since it was last called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A file whose content differs from what was recorded."""

    file: str
    """Key in the store."""
    what: str
    ref: str | None = None
    level: int | None = None
    box: str | None = None
    """The first damaged voxels: `z0:z1,y0:y1,x0:x1` in the grid of `level`."""

    def __str__(self) -> str:
        """Say in one line which file is damaged, where, and how."""
        place = "" if self.level is None else f" (level {self.level}, box {self.box})"
        return f"{self.file}{place}: {self.what}"


@dataclass(frozen=True, slots=True)
class _Shard:
    """One shard file and the voxels in it."""

    level: int
    time: int
    channel: int
    box: Box


def count_voxels(volume: Volume) -> int:
    """Return the number of voxels of all levels, channels and times."""
    each = sum(Box.of_shape(level.shape).voxels for level in volume.info.levels)
    return each * len(volume.info.channels) * volume.info.times


def check_volume(
    volume: Volume, ref: str, *, threads: int = 1, progress: Progress = lambda _: None
) -> Iterator[Fault]:
    """Read every voxel of a volume and yield what differs from its recorded hashes.

    Memory stays near 16 MB per thread for 16-bit voxels, whatever the size of the volume.

    Args:
        volume: The volume.
        ref: Its name, for the faults.
        threads: How many pieces to read and hash at once.
        progress: Told how far the check is.
    """
    document = json.loads(volume.store.get(f"{volume.key}/zarr.json"))
    digests = document["attributes"].get("gateway", {}).get("levels", {})
    with ThreadPoolExecutor(threads) as pool:
        for number, level in enumerate(volume.info.levels):
            cells_key = f"{volume.key}/{level.path}/{CELLS_FILE}"
            try:
                expected = volume.cells(number)
            except GatewayError as error:
                yield Fault(file=cells_key, what=str(error), ref=ref, level=number, box="all")
                continue
            if level_digest(volume.info, number, expected) != digests.get(level.path):
                what = "these cell hashes do not give the digest that the volume records"
                yield Fault(file=cells_key, what=what, ref=ref, level=number, box="all")
            shards = _shards(volume, number)
            faults = pool.map(lambda shard: _check_shard(volume, shard, expected, ref), shards)  # noqa: B023 - consumed before the loop goes on
            for shard_voxels, fault in faults:
                progress(shard_voxels)
                if fault is not None:
                    yield fault


def _shards(volume: Volume, level: int) -> Iterator[_Shard]:
    info = volume.info
    for time, channel in product(range(info.times), range(len(info.channels))):
        for box in shard_boxes(info.levels[level]):
            yield _Shard(level, time, channel, box)


def _check_shard(
    volume: Volume, shard: _Shard, expected: NDArray[np.uint8], ref: str
) -> tuple[int, Fault | None]:
    """Check one shard; returns its number of voxels, and what is wrong with it."""
    damaged = [
        (cell, reason)
        for piece in cut_boxes(shard.box, _PIECE)
        for cell, reason in _check_piece(volume, shard, piece, expected)
    ]
    if not damaged:
        return shard.box.voxels, None
    first, reason = damaged[0]
    file = _shard_key(volume, shard)
    if not volume.store.exists(file):
        reason = "the file is gone"
    more = f", and {len(damaged) - 1} more cells in this file" if len(damaged) > 1 else ""
    fault = Fault(file=file, what=f"{reason}{more}", ref=ref, level=shard.level, box=str(first))
    return shard.box.voxels, fault


def _check_piece(
    volume: Volume, shard: _Shard, piece: Box, expected: NDArray[np.uint8]
) -> Iterator[tuple[Box, str]]:
    """Yield the damaged cells of a piece, each with the reason."""
    voxels = _read(volume, shard, piece)
    for cell in cut_boxes(piece, (CELL, CELL, CELL)):
        content = voxels
        if content is None:  # some cell of the piece cannot be decoded: find out which
            content = _read(volume, shard, cell)
            if content is None:
                yield cell, "its bytes cannot be decoded or fail their checksum"
                continue
            found = _hash(content, cell)
        else:
            found = _hash(content[cell.slices(piece.start)], cell)
        z, y, x = (a // CELL for a in cell.start)
        if not np.array_equal(found, expected[shard.time, shard.channel, z, y, x]):
            yield cell, "its voxels differ from those that were written"


def _read(volume: Volume, shard: _Shard, box: Box) -> NDArray[Any] | None:
    try:
        return volume.read(box, level=shard.level, channel=shard.channel, time=shard.time)
    except CorruptionError:
        return None


def _hash(voxels: NDArray[Any], cell: Box) -> NDArray[np.uint8]:
    hashes: NDArray[np.uint8] = hash_cells(voxels, cell).hashes[0]
    return hashes


def _shard_key(volume: Volume, shard: _Shard) -> str:
    """Return the key of a shard's file, as Zarr v3 names it."""
    level = volume.info.levels[shard.level]
    lead = (shard.time, shard.channel) if volume.info.times > 1 else (shard.channel,)
    index = (a // n for a, n in zip(shard.box.start, level.shard, strict=True))
    return "/".join([volume.key, level.path, "c", *map(str, (*lead, *index))])
