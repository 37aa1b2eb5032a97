"""Layers at rest: written into the folder of their dataset soon after they change."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from gateway.errors import NotFoundError
from gateway.records.annotation_history import (
    Batch,
    batches_since,
    count_edits,
    edits_of,
)
from gateway.records.annotation_layers import (
    change_layer,
    find_layer,
    get_layer,
    layers_of,
    take_keeping,
)
from gateway.records.annotation_objects import read_all
from gateway.records.annotations import Layer
from gateway.records.database import reading, writing
from gateway.service.gateway import Gateway
from gateway.service.review.exchange import steady
from gateway.volumes.layer_columns import BORN, CHANGED
from gateway.volumes.layer_writing import write_layer
from gateway.volumes.layers import (
    delete_layer_files,
    layer_key,
    read_manifest,
    write_manifest,
)

_LEASE = timedelta(minutes=1)
_OBJECTS_PER_S = 20_000
"""Written at least, on a slow machine: a process that was killed holds its layer no longer."""
_FEW_EDITS = 1000
_SHARE = 20
_MOST_FILES = 64
_PIECE = 500


def store_layers(gateway: Gateway, *, quiet_for: timedelta = timedelta(0)) -> list[str]:
    """Write every layer that changed into the folder of its dataset; return which.

    Args:
        gateway: The gateway.
        quiet_for: Leave out those that changed within so long.

    Raises:
        StoreError: The store cannot be written; the edits are safe in the database.
    """
    now = datetime.now(UTC)
    with reading(gateway.database) as connection:
        due = [
            layer
            for layer in layers_of(connection)
            if layer.stored != layer.version and now - layer.changed >= quiet_for
        ]
    return [layer.ref for layer in due if store_layer(gateway, layer.dataset, layer.name)]


def store_layer(gateway: Gateway, dataset: str, name: str) -> bool:
    """Write a layer into the folder of its dataset; False where another process does.

    Raises:
        NotFoundError: There is no such layer.
        StoreError: The store cannot be written; the edits are safe in the database.
    """
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        until = now + _LEASE + timedelta(seconds=layer.count / _OBJECTS_PER_S)
        if not take_keeping(connection, layer, now=now, until=until):
            return False
    done: dict[str, int] = {}
    try:
        with reading(gateway.database) as connection:
            steady(connection)
            written = get_layer(connection, dataset, name)
            snapshot = _write(gateway, connection, written)
            done = {"stored": written.version, "snapshot": snapshot}
    finally:
        with writing(gateway.database) as connection:
            there = find_layer(connection, dataset, name)
            if there is not None and there.uid == layer.uid:
                change_layer(connection, there, keeping=None, **done)
            elif there is None:  # it was deleted while it was written
                delete_layer_files(gateway.store, dataset, name)
    return True


def _write(gateway: Gateway, connection: Connection, layer: Layer) -> int:
    """Write what the folder lacks, then the manifest; return the version of the snapshot."""
    store = gateway.store
    old = read_manifest(store, layer.dataset, layer.name)
    if old is not None and (old["uid"] != layer.uid or old["version"] > layer.version):
        old = None
    kept: dict[str, Any] = old or {"version": 0, "snapshot": {"version": -1}, "edits": []}
    batches = batches_since(connection, layer, kept["version"])
    snapshot = kept["snapshot"]
    if old is None or _needs_snapshot(connection, layer, batches, snapshot["version"]):
        snapshot = {"file": f"objects-{layer.version}.parquet", "version": layer.version}
        _put_objects(gateway, connection, layer, snapshot["file"])
    files: list[str] = kept["edits"]
    if len(files) >= _MOST_FILES:
        files, batches = [], batches_since(connection, layer, 0)
    if batches:
        file = f"edits-{batches[0].version}-{layer.version}.jsonl"
        lines = b"".join(_lines(connection, layer, batches))
        store.put(layer_key(layer.dataset, layer.name, file), lines)
        files = [*files, file]
    manifest = {**manifest_of(layer), "snapshot": snapshot, "edits": files}
    write_manifest(store, layer.dataset, layer.name, manifest)
    _sweep(gateway, layer, {snapshot["file"], *files})
    return int(snapshot["version"])


def manifest_of(layer: Layer) -> dict[str, Any]:
    """Return what the manifest says of a layer beside its files."""
    told = asdict(layer)
    for name in ("id", "stored", "snapshot", "dataset"):
        del told[name]
    return {**told, "made": layer.made.isoformat(), "changed": layer.changed.isoformat()}


def _needs_snapshot(
    connection: Connection, layer: Layer, batches: Sequence[Batch], snapshot: int
) -> bool:
    """Whether the edits since the last one are many, or do not tell all."""
    if any(batch.action == "import" for batch in batches):
        return True
    return count_edits(connection, layer, snapshot) > max(_FEW_EDITS, layer.count // _SHARE)


def _put_objects(gateway: Gateway, connection: Connection, layer: Layer, file: str) -> None:
    def objects() -> Iterator[dict[str, Any]]:
        for item in read_all(connection, layer):
            more = {BORN: item.born, CHANGED: item.version}
            yield {**item.to_json(), "properties": {**item.properties, **more}}

    with tempfile.TemporaryDirectory(prefix="gateway-layer-") as folder:
        path = Path(folder) / file
        write_layer(path, "parquet", objects, {"uid": layer.uid, "version": layer.version})
        gateway.store.put(layer_key(layer.dataset, layer.name, file), path.read_bytes())


def _lines(connection: Connection, layer: Layer, batches: Sequence[Batch]) -> Iterator[bytes]:
    for start in range(0, len(batches), _PIECE):
        piece = batches[start : start + _PIECE]
        edits = edits_of(connection, layer, piece[0].version, piece[-1].version)
        for batch in piece:
            told = {**asdict(batch), "at": batch.at.isoformat()}
            told["edits"] = [edit.to_json() for edit in edits.get(batch.version, [])]
            yield json.dumps(told, ensure_ascii=False).encode() + b"\n"


def _sweep(gateway: Gateway, layer: Layer, wanted: set[str]) -> None:
    """Remove files that the manifest no longer names."""
    there = gateway.store.list(layer_key(layer.dataset, layer.name)).files
    for file in there:
        if file not in wanted and file.startswith(("objects-", "edits-")):
            try:
                gateway.store.delete(layer_key(layer.dataset, layer.name, file))
            except NotFoundError:
                continue
