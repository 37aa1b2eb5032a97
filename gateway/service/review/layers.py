"""Annotation layers of a dataset: listed, made from nothing or from a points table, removed."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from gateway.errors import BoxError, CallError, ConflictError, ExistsError
from gateway.records.annotation_bulk import add_points
from gateway.records.annotation_grid import choose_block_um
from gateway.records.annotation_history import Batch, add_batch, batches_since
from gateway.records.annotation_layers import (
    add_layer,
    change_layer,
    drop_layer,
    find_layer,
    get_layer,
    layers_of,
)
from gateway.records.annotations import Layer
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.access.audit import note
from gateway.service.access.rights import visible_entries
from gateway.service.gateway import Gateway
from gateway.service.review.checks import RESERVED, check_class, check_classes
from gateway.volumes.columns import POSITION
from gateway.volumes.layers import delete_layer_files, has_layer_files
from gateway.volumes.open import open_ref
from gateway.volumes.points import BoxUm, PointsTable
from gateway.volumes.ref import parse_ref
from gateway.volumes.volume import Volume

_HALF = 0.5


def describe_layer(layer: Layer) -> dict[str, Any]:
    """Return a layer as the API tells it."""
    return {
        "dataset": layer.dataset,
        "name": layer.name,
        "volume": layer.volume,
        "classes": layer.classes,
        "columns": layer.columns,
        "bounds_um": [list(layer.lowest), list(layer.highest)],
        "block_um": layer.block_um,
        "version": layer.version,
        "count": layer.count,
        "made_by": layer.made_by,
        "made": layer.made.isoformat(),
        "changed": layer.changed.isoformat(),
    }


def list_layers(gateway: Gateway, actor: Actor, dataset: str) -> list[dict[str, Any]]:
    """Return the layers of a dataset whose volumes an actor may see, by name."""
    seen = visible_entries(actor)
    with reading(gateway.database) as connection:
        layers = layers_of(connection, dataset)
    return [describe_layer(each) for each in layers if seen is None or each.volume in seen]


def show_layer(gateway: Gateway, dataset: str, name: str) -> Layer:
    """Return a layer.

    Raises:
        NotFoundError: There is none of that name.
    """
    with reading(gateway.database) as connection:
        return get_layer(connection, dataset, name)


def volume_of_layer(gateway: Gateway, dataset: str, name: str) -> str | None:
    """Return the volume of a layer, on which the rights to it rest; None where there is none."""
    with reading(gateway.database) as connection:
        layer = find_layer(connection, dataset, name)
    return layer.volume if layer else None


def make_layer(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    *,
    volume: str,
    classes: Sequence[Mapping[str, Any] | str] = (),
    points: str | None = None,
    label: str | None = None,
    block_um: float | None = None,
) -> dict[str, Any]:
    """Make a layer of a volume.

    Args:
        gateway: The gateway.
        actor: Who makes it.
        dataset: The dataset.
        name: The name of the layer.
        volume: The name of the image or labels of the dataset that it annotates.
        classes: Names, or `{"name", "color": "#rrggbb", "key": 1 to 9}`.
        points: A points table of the dataset that gives the first objects and their properties.
        label: The class these objects get.
        block_um: Edge of the blocks that are loaded at once; None chooses one for the volume.

    Raises:
        ExistsError: There is a layer of that name.
        NotFoundError: There is no such volume or table.
        CallError: The volume is none, or a class is not allowed.
        BoxError: A point lies outside the volume.
    """
    parse_ref(f"{dataset}/{name}")
    lowest, highest = volume_bounds(gateway, dataset, volume)
    checked = check_classes(classes)
    cells = _read_points(gateway, dataset, points) if points else {}
    if block_um is not None and not block_um > 0:
        raise CallError(f"block_um is {block_um}; expected a length in micrometres above 0")
    values = {
        **_empty_layer(actor, (lowest, highest), block_um),
        "dataset": dataset,
        "name": name,
        "volume": volume,
        "classes": checked,
    }
    with writing(gateway.database) as connection:
        if find_layer(connection, dataset, name) is not None or has_layer_files(
            gateway.store, dataset, name
        ):
            raise ExistsError(
                f"{dataset} has an annotation layer {name!r}; choose another name, or delete it"
            )
        layer = add_layer(connection, **values)
        if cells:
            _fill(connection, layer, actor, cells, label)
        layer = get_layer(connection, dataset, name)
    note(gateway, actor, "layer made", dataset, layer=name, objects=layer.count)
    return describe_layer(layer)


def _empty_layer(actor: Actor, bounds: BoxUm, block_um: float | None) -> dict[str, Any]:
    """Return what is the same in every layer that begins."""
    lowest, highest = bounds
    now = datetime.now(UTC)
    return {
        "uid": uuid.uuid4().hex,
        "columns": [],
        "extended": False,
        "version": 0,
        "count": 0,
        "lowest": list(lowest),
        "highest": list(highest),
        "next_id": 1,
        "block_um": block_um or choose_block_um(lowest, highest),
        "made_by": actor.name,
        "made": now,
        "changed": now,
        "stored": -1,
        "snapshot": -1,
    }


def change_classes(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    *,
    classes: Sequence[Mapping[str, Any] | str],
    base: int,
) -> dict[str, Any]:
    """Replace the classes of a layer; objects keep the names of classes that are taken away.

    Raises:
        ConflictError: The layer was given other classes since `base`.
        CallError: A class is not allowed.
    """
    checked = check_classes(classes)
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        if base != layer.version and _classes_since(connection, layer, base):
            raise ConflictError(
                f"the classes of {layer.ref} were changed since version {base}; "
                "look at them and change them again"
            )
        version, now = layer.version + 1, datetime.now(UTC)
        change_layer(connection, layer, classes=checked, version=version, changed=now)
        answer = {"before": layer.classes, "after": checked}
        batch = Batch(
            version=version, base=base, person=actor.name, at=now, action="classes", answer=answer
        )
        add_batch(connection, layer, batch)
        return describe_layer(get_layer(connection, dataset, name))


def remove_layer(gateway: Gateway, actor: Actor, dataset: str, name: str) -> None:
    """Remove a layer with all its edits, from the database and from the folder.

    Raises:
        NotFoundError: There is no such layer.
    """
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        delete_layer_files(gateway.store, dataset, name)
        drop_layer(connection, layer)
    note(gateway, actor, "layer deleted", dataset, layer=name, objects=layer.count)


def volume_bounds(gateway: Gateway, dataset: str, volume: str) -> BoxUm:
    """Return the lowest and highest corner of a volume in micrometres.

    Raises:
        NotFoundError: There is no such volume.
        CallError: It is something else.
    """
    thing = open_ref(gateway.store, parse_ref(f"{dataset}/{volume}"))
    if not isinstance(thing, Volume):
        raise CallError(
            f"{dataset}/{volume} is no volume; an annotation layer is of an image or of labels"
        )
    info = thing.info
    sides = zip(info.origin_um, info.voxel_um, info.shape, strict=True)
    low = [(o - _HALF * v, o + (n - _HALF) * v) for o, v, n in sides]
    (az, bz), (ay, by), (ax, bx) = low
    return (az, ay, ax), (bz, by, bx)


def _classes_since(connection: Connection, layer: Layer, base: int) -> bool:
    return any(batch.action == "classes" for batch in batches_since(connection, layer, base))


def _read_points(gateway: Gateway, dataset: str, points: str) -> dict[str, NDArray[Any]]:
    thing = open_ref(gateway.store, parse_ref(f"{dataset}/{points}"))
    if not isinstance(thing, PointsTable):
        raise CallError(f"{dataset}/{points} is no points table; objects come from one")
    return thing.read()


def _fill(
    connection: Connection,
    layer: Layer,
    actor: Actor,
    cells: dict[str, NDArray[Any]],
    label: str | None,
) -> None:
    """Add the rows of a points table as version 1."""
    positions = np.stack([cells.pop(name) for name in POSITION], axis=1)
    _check_inside(layer, positions)
    check_class(layer, label, "the layer")
    named = {f"{n}_" if n in RESERVED else n: column for n, column in cells.items()}
    properties = _as_json(named, len(positions))
    add_points(
        connection,
        layer,
        positions,
        labels=[label] * len(positions),
        properties=properties,
        version=1,
    )
    now, count = datetime.now(UTC), len(positions)
    change_layer(
        connection,
        layer,
        version=1,
        count=count,
        next_id=count + 1,
        columns=list(named),
        changed=now,
    )
    batch = Batch(
        version=1, base=0, person=actor.name, at=now, action="import", count=count, answer={}
    )
    add_batch(connection, layer, batch)


def _check_inside(layer: Layer, positions: NDArray[np.float64]) -> None:
    low, high = np.asarray(layer.lowest), np.asarray(layer.highest)
    outside = np.flatnonzero(((positions < low) | (positions > high)).any(axis=1))
    if outside.size:
        z, y, x = positions[outside[0]]
        raise BoxError(
            f"{outside.size} of {len(positions)} positions lie outside the volume "
            f"{layer.dataset}/{layer.volume}, the first, in row {outside[0]}, at "
            f"{z:g},{y:g},{x:g} um; choose the volume that they were found in"
        )


def _as_json(columns: dict[str, NDArray[Any]], rows: int) -> Sequence[str | None]:
    """Return the properties of each row as JSON; what is not a finite number is left out."""
    if not columns:
        return [None] * rows
    names = list(columns)
    whole = all(
        column.dtype.kind != "f" or np.isfinite(column).all() for column in columns.values()
    )
    values = [column.tolist() for column in columns.values()]
    dump = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
    if whole:
        return [dump(dict(zip(names, row, strict=True))) for row in zip(*values, strict=True)]
    return [
        dump({n: v for n, v in zip(names, row, strict=True) if _finite(v)})
        for row in zip(*values, strict=True)
    ]


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or bool(np.isfinite(value))
