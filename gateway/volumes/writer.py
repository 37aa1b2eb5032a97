"""Writing volumes: whole shards of all levels, hashed on the way, complete or not at all."""

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import AlignmentError, ExistsError, RunError
from gateway.volumes.box import Box, Shape, cut_boxes
from gateway.volumes.digest import (
    CELLS_FILE,
    Cells,
    CellTable,
    encode_hashes,
    hash_cells,
    join_cells,
    level_digest,
)
from gateway.volumes.layout import (
    CELL,
    check_aligned,
    check_levels,
    choose_layout,
    derived_count,
    level_box,
    relative_factor,
    shard_boxes,
)
from gateway.volumes.levels import LevelArrays
from gateway.volumes.model import Level, VolumeInfo
from gateway.volumes.ome import array_document, complete_document, group_document
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits, explain_error
from gateway.volumes.volume import open_volume, read_documents

Reduce = Callable[[NDArray[Any], Shape], NDArray[Any]]
"""Makes a coarser level: `zyx` voxels and a factor per axis in, `zyx` voxels out. Windows at the
far faces hold the voxels that exist."""

_PIECE_VOXELS = 128**3
_SHARDS_IN_FLIGHT = 2
"""Beside the one being hashed: one is encoded while the file of another is synced."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """Writes that were started and whose end is to be awaited."""

    level: int
    box: Box
    writes: list[Any]

    def settle(self) -> None:
        """Wait for the end of the writes, good or bad."""
        for write in self.writes:
            write.exception()


@dataclass(frozen=True, slots=True)
class Writing:
    """Shards on their way to the storage; the caller may go on with other work meanwhile."""

    cells: Cells
    """The hashes of all cells, for `VolumeWriter.finish`."""
    _flying: deque[_Pending]
    _wait: Callable[[_Pending], None]

    def wait(self) -> Cells:
        """Return the hashes once every shard is written.

        Raises:
            StoreError: The storage failed.
        """
        try:
            while self._flying:
                self._wait(self._flying.popleft())
        finally:
            self.settle()
        return self.cells

    def settle(self) -> None:
        """Wait for the end of what is under way, good or bad, before its memory is used again."""
        while self._flying:
            self._flying.popleft().settle()


class VolumeWriter:
    """Fills a volume, shard by shard, from any number of processes."""

    def __init__(
        self, store: Store, key: str, info: VolumeInfo, reduce: Reduce, limits: IoLimits
    ) -> None:
        """Make the handle; use `create_volume` or `open_writer`."""
        self._store = store
        self._key = key
        self._info = info
        self._reduce = reduce
        self._arrays = LevelArrays(store, key, info, limits, write=True)

    @property
    def info(self) -> VolumeInfo:
        """Metadata of the volume, its levels included."""
        return self._info

    @property
    def derived(self) -> int:
        """How many levels `write` makes along with level 0; the rest are for `write_level`."""
        return derived_count(self._info.levels)

    def write(self, box: Box, voxels: NDArray[Any], *, time: int = 0) -> Cells:
        """Write whole shards of level 0 and of the levels derived with it.

        Writing a box again replaces it.

        Args:
            box: The voxels of level 0 that are given: whole shards.
            voxels: Their content, `czyx`, in the dtype of the volume.
            time: The time point.

        Returns:
            The hashes of all cells written, for `finish`.

        Raises:
            AlignmentError: The box does not cover whole shards, or `voxels` do not fit it.
            StoreError: The storage failed.
        """
        return self.start(box, voxels, time=time).wait()

    def start(self, box: Box, voxels: NDArray[Any], *, time: int = 0) -> Writing:
        """Begin to write as `write` does; `voxels` must stay as they are until its `wait` ends.

        Raises:
            AlignmentError: The box does not cover whole shards, or `voxels` do not fit it.
            StoreError: The storage failed.
        """
        base = self._info.levels[0]
        check_aligned(base, box, self._key)
        self._check_voxels(box, voxels)
        parts: list[Cells] = []
        flying: deque[_Pending] = deque()
        try:
            for shard, channel in product(shard_boxes(base, box), range(len(self._info.channels))):
                content = voxels[(channel, *shard.slices(box.start))]
                cells, pending = self._start_shard(shard, content, channel, time)
                parts.append(cells)
                flying.append(pending)
                if len(flying) > _SHARDS_IN_FLIGHT:
                    self._wait(flying.popleft())
        except BaseException:
            # no write may go on from memory that the caller uses again
            for pending in flying:
                pending.settle()
            raise
        return Writing(join_cells(parts), flying, self._wait)

    def write_level(self, level: int, box: Box, *, time: int = 0) -> Cells:
        """Make whole shards of a level from the level before it, which must be complete there.

        Args:
            level: Index of the level, one that `write` does not make.
            box: The voxels of that level to make: whole shards.
            time: The time point.

        Returns:
            The hashes of all cells written, for `finish`.

        Raises:
            AlignmentError: The box does not cover whole shards.
            StoreError: The storage failed.
        """
        check_aligned(self._info.levels[level], box, self._key)
        parts = []
        shards = shard_boxes(self._info.levels[level], box)
        for shard, channel in product(shards, range(len(self._info.channels))):
            voxels = self._reduced(level, shard, channel, time)
            writes = [self._put(level, shard, voxels, channel, time)]
            parts.append(hash_cells(voxels, shard, level=level, time=time, channel=channel))
            self._wait(_Pending(level, shard, writes))
        return join_cells(parts)

    def finish(self, cells: Iterable[Cells], made_by: str | None = None) -> VolumeInfo:
        """Record what was written: cell hashes, digests, and the run that made it.

        Args:
            cells: What all calls of `write` and `write_level` returned, in any order.
            made_by: Id of the run.

        Raises:
            RunError: A cell was never written; names the first box.
            CorruptionError: Two writes of one cell differ.
        """
        table = CellTable(self._info)
        for part in cells:
            table.add(part)
        missing = next(table.missing(), None)
        if missing is not None:
            level, box = missing
            raise RunError(
                f"{self._key} is not complete: level {level}, box {box} was never written "
                f"({table.missing_count} cells of {CELL}³ are missing); "
                "run the same command to continue"
            )
        digests = {}
        for number, level_info in enumerate(self._info.levels):
            hashes = table.hashes(number)
            content = encode_hashes(hashes)
            self._store.put(f"{self._key}/{level_info.path}/{CELLS_FILE}", content)
            digests[level_info.path] = level_digest(self._info, number, hashes)
        self._info = replace(self._info, digest=digests[self._info.levels[0].path], made_by=made_by)
        _, arrays = read_documents(self._store, self._key)
        _put_document(self._store, self._key, complete_document(self._info, arrays, digests))
        return self._info

    def _start_shard(
        self, box: Box, voxels: NDArray[Any], channel: int, time: int
    ) -> tuple[Cells, _Pending]:
        """Start to write a shard of level 0 and the pieces under it; hash them meanwhile."""
        writes = [self._put(0, box, voxels, channel, time)]
        parts = []
        piece, levels = voxels, self._info.levels
        for number in range(self.derived + 1):
            place = level_box(levels[number], box)
            if number:
                factor = relative_factor(levels[number - 1], levels[number])
                piece = self._reduce(piece, factor)
                writes.append(self._put(number, place, piece, channel, time))
            parts.append(hash_cells(piece, place, level=number, time=time, channel=channel))
        return join_cells(parts), _Pending(0, box, writes)

    def _put(self, level: int, box: Box, voxels: NDArray[Any], channel: int, time: int) -> Any:
        view = self._arrays.view(level, channel, time, box)
        # Nothing is cached and every write is awaited, so the source need not be copied.
        return view.write(voxels, can_reference_source_data_indefinitely=True)

    def _wait(self, pending: _Pending) -> None:
        try:
            for write in pending.writes:
                write.result()
        except Exception as error:
            pending.settle()
            what = f"{self._key}, level {pending.level}, box {pending.box}, in {self._store.url}"
            raise explain_error(error, what) from error

    def _reduced(self, level: int, box: Box, channel: int, time: int) -> NDArray[Any]:
        """Reduce the level before in pieces, so that memory stays near one shard."""
        finer, coarser = self._info.levels[level - 1 : level + 1]
        factor = relative_factor(finer, coarser)
        voxels = np.empty(box.shape, self._info.dtype)
        for piece in cut_boxes(box, _piece_shape(coarser)):
            z, y, x = (a * f for a, f in zip(piece.start, factor, strict=True))
            stop = [min(b * f, n) for b, f, n in zip(piece.stop, factor, finer.shape, strict=True)]
            source = Box((z, y, x), (stop[0], stop[1], stop[2]))
            content = self._arrays.read(level - 1, channel, time, source)
            voxels[piece.slices(box.start)] = self._reduce(content, factor)
        return voxels

    def _check_voxels(self, box: Box, voxels: NDArray[Any]) -> None:
        expected = (len(self._info.channels), *box.shape)
        if voxels.shape != expected or voxels.dtype != np.dtype(self._info.dtype):
            raise AlignmentError(
                f"box {box} of {self._key} was given {voxels.dtype} voxels of shape "
                f"{voxels.shape}; expected {self._info.dtype} of shape czyx {expected}"
            )


def create_volume(
    store: Store,
    key: str,
    info: VolumeInfo,
    reduce: Reduce,
    *,
    memory_bytes: int = 2_000_000_000,
    limits: IoLimits | None = None,
) -> VolumeWriter:
    """Make an empty volume: metadata of the group and of every level.

    Args:
        store: Where to make it.
        key: Its folder; for a run, under the staging folder.
        info: What it is; without `levels`, `choose_layout` chooses them.
        reduce: Makes a coarser level: mean for images, mode for labels.
        memory_bytes: Memory of the whole run, which the layout respects.
        limits: Threads and requests of the writes.

    Raises:
        ExistsError: There is something at `key`.
        AlignmentError: The levels of `info` cannot be written whole.
    """
    if store.exists(f"{key}/zarr.json"):
        raise ExistsError(f"{key} already exists in {store.url}; a volume is written once")
    levels = info.levels or choose_layout(info, memory_bytes)
    planned = replace(info, levels=levels, digest=None, made_by=None)
    check_levels(planned)
    for level in levels:
        _put_document(store, f"{key}/{level.path}", array_document(planned, level))
    _put_document(store, key, group_document(planned))
    return VolumeWriter(store, key, planned, reduce, limits or IoLimits())


def open_writer(
    store: Store, key: str, reduce: Reduce, *, limits: IoLimits | None = None
) -> VolumeWriter:
    """Open a volume that `create_volume` made, to write shards of it (in a worker).

    Raises:
        NotFoundError: There is no volume of that key.
        ExistsError: The volume is complete, and so immutable.
    """
    info = open_volume(store, key).info
    if info.digest is not None:
        raise ExistsError(f"{key} in {store.url} is complete and cannot be written again")
    return VolumeWriter(store, key, info, reduce, limits or IoLimits())


def _piece_shape(level: Level) -> Shape:
    """Return a box of whole chunks near 128³ voxels."""
    piece = list(level.chunk)
    while 2 * piece[0] * piece[1] * piece[2] <= _PIECE_VOXELS:
        axis = min(range(3), key=lambda a: piece[a])
        piece[axis] *= 2
    return (piece[0], piece[1], piece[2])


def _put_document(store: Store, key: str, document: dict[str, Any]) -> None:
    store.put(f"{key}/zarr.json", f"{json.dumps(document, indent=1)}\n".encode())
