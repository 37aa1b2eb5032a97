"""What the catalogue keeps of a volume, table, tile grid or transform, read from its metadata."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.records.rows import EntryRecord
from gateway.volumes.dataset import Entry
from gateway.volumes.model import VolumeInfo
from gateway.volumes.open import open_ref
from gateway.volumes.points import PointsTable
from gateway.volumes.store import Store
from gateway.volumes.tiles import TileGrid
from gateway.volumes.volume import Volume


def describe_entry(store: Store, entry: Entry) -> EntryRecord:
    """Open an entry and return what there is to know of it; no voxel is read.

    Raises:
        NotFoundError: It is gone.
        FormatError: Its metadata is broken.
        StoreError: The storage failed.
    """
    handle = None if entry.kind in _CLOSED else open_ref(store, entry.ref)
    describe = next((f for kind, f in _DESCRIBE.items() if isinstance(handle, kind)), _nothing)
    facts = dict(describe(handle))
    if entry.linked:
        facts["linked"] = True
    return EntryRecord(
        dataset=entry.ref.dataset,
        name=entry.ref.name,
        kind=entry.kind,
        digest=facts.pop("digest", None),
        made_by=facts.pop("made_by", None),
        facts=facts,
    )


def volume_facts(info: VolumeInfo) -> dict[str, Any]:
    """Return the metadata of a volume as JSON values; `shape` is in the order of `axes`."""
    return {
        "axes": info.axes,
        "shape": list(info.array_shape),
        "dtype": info.dtype,
        "voxel_um": list(info.voxel_um),
        "origin_um": list(info.origin_um),
        "channels": [channel.name for channel in info.channels],
        "levels": [
            {
                "shape": list(level.shape),
                "factor": list(level.factor),
                "voxel_um": list(level.voxel_um),
                "chunk": list(level.chunk),
                "shard": list(level.shard),
            }
            for level in info.levels
        ],
        "digest": info.digest,
        "made_by": info.made_by,
    }


def _volume(volume: Volume) -> dict[str, Any]:
    return volume_facts(volume.info)


def _points(points: PointsTable) -> dict[str, Any]:
    return {
        "count": points.count,
        "columns": list(points.columns),
        "digest": points.digest,
        "made_by": points.made_by,
    }


def _tiles(grid: TileGrid) -> dict[str, Any]:
    return {
        "count": len(grid.tiles),
        "voxel_um": list(grid.voxel_um),
        "dtype": grid.dtype,
        "channels": [str(getattr(channel, "name", channel)) for channel in grid.channels],
        "digest": getattr(grid, "digest", None),
        "made_by": getattr(grid, "made_by", None),
    }


def _nothing(handle: object) -> dict[str, Any]:
    return {
        "digest": getattr(handle, "digest", None),
        "made_by": getattr(handle, "made_by", None),
    }


_CLOSED = ("mesh", "skeleton")
"""Kinds that only viewers open."""

_DESCRIBE: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    Volume: _volume,
    PointsTable: _points,
    TileGrid: _tiles,
}
