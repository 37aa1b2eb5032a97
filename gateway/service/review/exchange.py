"""Layers as files: exported at any version, imported in bulk, the same after a round trip."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CallError
from gateway.records.annotation_bulk import add_objects
from gateway.records.annotation_history import Batch, add_batch, find_batch
from gateway.records.annotation_layers import change_layer, get_layer
from gateway.records.annotations import Annotation, Layer, annotation
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.access.audit import note
from gateway.service.gateway import Gateway
from gateway.service.review.checks import check_classes, check_fields
from gateway.service.review.layers import describe_layer
from gateway.service.review.versions import read_version
from gateway.volumes.layer_reading import read_layer
from gateway.volumes.layer_writing import LayerFormat, write_layer

SUFFIXES: Mapping[LayerFormat, str] = {
    "json": ".json",
    "csv": ".csv",
    "hdf5": ".h5",
    "parquet": ".parquet",
}


@contextmanager
def exported(
    gateway: Gateway,
    dataset: str,
    name: str,
    form: LayerFormat,
    version: int | None = None,
) -> Iterator[Path]:
    """Write a layer into a file that is gone when the block ends.

    Raises:
        NotFoundError: There is no such layer.
        CallError: There is no such version.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-layer-") as folder:
        path = Path(folder) / f"{name}{SUFFIXES[form]}"
        with reading(gateway.database) as connection:
            steady(connection)
            layer = get_layer(connection, dataset, name)
            told = describe_layer(layer)
            about = {key: told[key] for key in ("dataset", "name", "volume", "classes")}
            about["version"] = layer.version if version is None else version

            def objects() -> Iterator[dict[str, Any]]:
                found = read_version(connection, layer, version)
                return (item.to_json() for item in found)

            write_layer(path, form, objects, about)
        yield path


def import_objects(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    *,
    path: Path,
    form: LayerFormat,
    key: str | None = None,
) -> dict[str, Any]:
    """Add the objects of a file to a layer, as one version.

    An empty layer takes over their numbers, another gives them new ones. Classes that the layer
    lacks are added.

    Raises:
        NotFoundError: There is no such layer.
        FormatError: The file is not of that format.
        CallError: An object has a value that it cannot have.
        BoxError: A position lies outside the volume.
    """
    about, given = read_layer(path, form)
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        if key is not None and (known := find_batch(connection, layer, actor.name, key)):
            return known.answer
        layer = _with_classes(layer, about, given)
        items = _checked(layer, given)
        answer = _add(connection, layer, actor, items, key)
    note(gateway, actor, "layer imported", dataset, layer=name, objects=len(items))
    return answer


def steady(connection: Connection) -> None:
    """Let every statement of a read see the same state; SQLite does so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ")


def _add(
    connection: Connection,
    layer: Layer,
    actor: Actor,
    items: Sequence[Annotation],
    key: str | None,
) -> dict[str, Any]:
    version, now = layer.version + 1, datetime.now(UTC)
    add_objects(connection, layer, items)
    columns = dict.fromkeys((*layer.columns, *(n for item in items for n in item.properties)))
    change_layer(
        connection,
        layer,
        classes=layer.classes,
        columns=list(columns),
        version=version,
        count=layer.count + len(items),
        next_id=max([layer.next_id, *(item.id + 1 for item in items)]),
        extended=layer.extended or any(item.shape != "point" for item in items),
        changed=now,
    )
    answer = {"version": version, "count": len(items)}
    batch = Batch(
        version=version,
        base=layer.version,
        person=actor.name,
        at=now,
        action="import",
        key=key,
        count=len(items),
        answer=answer,
    )
    add_batch(connection, layer, batch)
    return answer


def _with_classes(
    layer: Layer, about: Mapping[str, Any], given: Sequence[Mapping[str, Any]]
) -> Layer:
    """Return the layer with the classes that the file has and it lacks."""
    there = {item["name"] for item in layer.classes}
    told = about.get("classes", [])
    more = [item for item in told if isinstance(item, dict) and item.get("name") not in there]
    taken = {item["key"] for item in layer.classes}
    more = [{k: v for k, v in item.items() if k != "key" or v not in taken} for item in more]
    there |= {item.get("name") for item in more}
    named = dict.fromkeys(item["class"] for item in given if item.get("class") is not None)
    more += [{"name": name} for name in named if name not in there]
    if not more:
        return layer
    return replace(layer, classes=check_classes([*layer.classes, *more]))


def _checked(layer: Layer, given: Sequence[Mapping[str, Any]]) -> list[Annotation]:
    numbers = [item.get("id") for item in given]
    keep = layer.next_id == 1 and all(_is_number(number) for number in numbers)
    if keep and len(set(numbers)) != len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise CallError(f"two objects of the file have the id {twice}; each has its own")
    items = []
    for row, item in enumerate(given):
        fields = {name: value for name, value in item.items() if name not in ("id", "version")}
        checked = check_fields(layer, fields, f"object {row} of the file", new=True)
        number = item["id"] if keep else layer.next_id + row
        version = layer.version + 1
        items.append(annotation(number, checked, born=version, version=version))
    return items


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53
