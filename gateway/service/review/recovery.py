"""Layers come back from the folders of their datasets; of file and database the newer wins."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection

from gateway.errors import FormatError, GatewayError
from gateway.records.annotation_bulk import add_objects
from gateway.records.annotation_history import Batch, Edit, add_batch
from gateway.records.annotation_layers import add_layer, drop_layer, find_layer
from gateway.records.annotations import Annotation, annotation
from gateway.records.database import reading, writing
from gateway.service.gateway import Gateway
from gateway.service.review.keeping import store_layers
from gateway.volumes.dataset import list_datasets
from gateway.volumes.layer_columns import BORN, CHANGED
from gateway.volumes.layer_reading import read_layer
from gateway.volumes.layers import layer_key, list_layer_files, read_manifest


@dataclass(slots=True)
class Recovery:
    """What was done to make database and folders agree."""

    restored: list[str] = field(default_factory=list)
    """Layers that came from the folder."""
    stored: list[str] = field(default_factory=list)
    """Layers that went into the folder."""
    problems: list[str] = field(default_factory=list)


def recover_layers(gateway: Gateway) -> Recovery:
    """Bring back layers that the database lacks or has older, and write out the others.

    Raises:
        StoreError: The store or the database failed.
    """
    done = Recovery()
    for dataset in list_datasets(gateway.store):
        for name in list_layer_files(gateway.store, dataset):
            try:
                if recover_layer(gateway, dataset, name):
                    done.restored.append(f"{dataset}/{name}")
            except GatewayError as error:
                done.problems.append(str(error))
    if gateway.store.writable:
        try:
            done.stored = store_layers(gateway)
        except GatewayError as error:
            done.problems.append(str(error))
    return done


def recover_layer(gateway: Gateway, dataset: str, name: str) -> bool:
    """Bring one layer back where the folder has a later version of it than the database.

    Raises:
        FormatError: Its files are damaged, or are of another layer of that name.
    """
    manifest = read_manifest(gateway.store, dataset, name)
    if manifest is None:
        return False
    with reading(gateway.database) as connection:
        there = find_layer(connection, dataset, name)
    if there is not None and there.uid != manifest["uid"]:
        raise FormatError(
            f"{layer_key(dataset, name)} in {gateway.store.url} holds another layer than the "
            f"database has under that name: move the folder away, or delete the layer {there.ref}"
        )
    if there is not None and there.version >= manifest["version"]:
        return False
    batches = list(_read_batches(gateway, dataset, name, manifest))
    items = _read_objects(gateway, dataset, name, manifest)
    for batch, edits in batches:
        if batch.version > manifest["snapshot"]["version"]:
            _replay(items, batch, edits)
    if len(items) != manifest["count"]:
        raise FormatError(
            f"{layer_key(dataset, name)} in {gateway.store.url} has {len(items)} objects, its "
            f"manifest says {manifest['count']}: restore the folder from a copy"
        )
    with writing(gateway.database) as connection:
        again = find_layer(connection, dataset, name, hold=True)
        if again is not None and again.version >= manifest["version"]:
            return False
        if again is not None:
            drop_layer(connection, again)
        _put(connection, dataset, manifest, items, batches)
    return True


def _put(
    connection: Connection,
    dataset: str,
    manifest: dict[str, Any],
    items: dict[int, Annotation],
    batches: list[tuple[Batch, list[Edit]]],
) -> None:
    names = (
        "uid", "name", "volume", "classes", "columns", "lowest", "highest", "block_um",
        "extended", "version", "count", "next_id", "made_by",
    )  # fmt: skip
    values = {name: manifest[name] for name in names}
    times = {name: datetime.fromisoformat(manifest[name]) for name in ("made", "changed")}
    kept = {"stored": manifest["version"], "snapshot": manifest["snapshot"]["version"]}
    layer = add_layer(connection, dataset=dataset, **values, **times, **kept)
    add_objects(connection, layer, list(items.values()))
    stacked = restack([batch for batch, _ in batches])
    for batch, (_, edits) in zip(stacked, batches, strict=True):
        add_batch(connection, layer, batch, edits)


def restack(batches: list[Batch]) -> list[Batch]:
    """Return batches with what each person can still undo and redo, from what they did.

    A batch is written once; what its person did to it later is told by later batches.
    """
    found: dict[int, Batch] = {}
    for batch in batches:
        mine = [each for each in found.values() if each.person == batch.person]
        stack, ordinal = "", batch.version
        if batch.action in ("edit", "restore"):
            stack = "undo"
            for each in mine:
                if each.stack == "redo":
                    found[each.version] = replace(each, stack="")
        elif batch.target is not None and batch.target in found:
            target = found[batch.target]
            undone = batch.action == "undo"
            found[target.version] = replace(target, stack="redo" if undone else "")
            stack, ordinal = ("", batch.version) if undone else ("undo", target.ordinal)
        found[batch.version] = replace(batch, stack=stack, ordinal=ordinal)
    return list(found.values())


def _read_batches(
    gateway: Gateway, dataset: str, name: str, manifest: dict[str, Any]
) -> Iterator[tuple[Batch, list[Edit]]]:
    expected = 1
    for file in manifest["edits"]:
        key = layer_key(dataset, name, file)
        for line in gateway.store.get(key).splitlines():
            try:
                told = json.loads(line)
                edits = [
                    Edit(object=edit["id"], before=edit["before"], after=edit["after"])
                    for edit in told.pop("edits")
                ]
                batch = Batch(**{**told, "at": datetime.fromisoformat(told["at"])})
            except (ValueError, TypeError, KeyError) as error:
                raise FormatError(f"{key} in {gateway.store.url} is damaged: {error}") from error
            if batch.version != expected:
                raise FormatError(
                    f"{key} in {gateway.store.url} goes on with version {batch.version}; "
                    f"expected {expected}: edits are missing, restore the folder from a copy"
                )
            expected += 1
            yield batch, edits
    if expected != manifest["version"] + 1:
        raise FormatError(
            f"{layer_key(dataset, name)} in {gateway.store.url} has edits up to version "
            f"{expected - 1}, its manifest says {manifest['version']}"
        )


def _read_objects(
    gateway: Gateway, dataset: str, name: str, manifest: dict[str, Any]
) -> dict[int, Annotation]:
    with TemporaryDirectory(prefix="gateway-layer-") as folder:
        path = Path(folder) / "objects.parquet"
        file = layer_key(dataset, name, manifest["snapshot"]["file"])
        path.write_bytes(gateway.store.get(file))
        _, found = read_layer(path, "parquet")
    items = {}
    for item in found:
        properties = item["properties"]
        born, changed = properties.pop(BORN), properties.pop(CHANGED)
        items[item["id"]] = annotation(item["id"], item, born=born, version=changed)
    return items


def _replay(items: dict[int, Annotation], batch: Batch, edits: list[Edit]) -> None:
    for edit in edits:
        if edit.after is None:
            items.pop(edit.object, None)
        elif edit.before is None:
            born = {"born": batch.version, "version": batch.version}
            items[edit.object] = annotation(edit.object, edit.after, **born)
        else:
            items[edit.object] = items[edit.object].changed(edit.after, batch.version)
