"""What a layer holds: objects of a box now or at an earlier version, which can be restored."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CallError, ConflictError, LimitError, NotFoundError
from gateway.records.annotation_history import (
    Edit,
    batches_at,
    batches_before,
    count_edits,
    edits_of,
    edits_of_objects,
    find_batch,
    forget_redo,
    walk_back,
)
from gateway.records.annotation_layers import get_layer
from gateway.records.annotation_objects import (
    Cursor,
    read_all,
    read_born_after,
    read_box,
    read_counts,
    read_objects,
)
from gateway.records.annotations import Annotation, Layer
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway
from gateway.service.review.checks import parse_box
from gateway.service.review.edits import check_base, finish
from gateway.service.review.merging import Work, different

MOST_OBJECTS = 20_000
_MOST_WALKED = 2_000_000


def objects_in_box(
    gateway: Gateway,
    dataset: str,
    name: str,
    box: str | None,
    *,
    limit: int = 5000,
    after: str | None = None,
    version: int | None = None,
) -> dict[str, Any]:
    """Return a page of the objects that reach into a box.

    Args:
        gateway: The gateway.
        dataset: The dataset.
        name: The layer.
        box: `z0:z1,y0:y1,x0:x1` in micrometres, half-open; None is the whole volume.
        limit: At most so many.
        after: `next` of the page before.
        version: The version wanted; None is the latest.

    Returns:
        `version`, `objects`, and `next`: None on the last page.

    Raises:
        NotFoundError: There is no such layer.
        BoxError: The box is malformed.
        CallError: There is no such version, or the page is malformed.
    """
    cursor = _parse_cursor(after)
    with reading(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        wanted = parse_box(box) if box is not None else _whole(layer)
        if version is not None and version != layer.version:
            check_base(layer, version)
            found, last = _box_at(connection, layer, wanted, version, limit=limit, after=cursor)
            told = version
        else:
            found, last = read_box(connection, layer, wanted, limit=limit, after=cursor)
            told = layer.version
    return {
        "version": told,
        "objects": [item.to_json() for item in found],
        "next": f"{last[0]}.{last[1]}" if last else None,
    }


def counts_in_box(gateway: Gateway, dataset: str, name: str, box: str | None) -> dict[str, Any]:
    """Return how many objects are where, for a far view of a box.

    Returns:
        `version`; `edge_um`, the edge of the cells; `cells`: the lowest corner of each cell that
        has objects, and how many have their centre in it: `[z, y, x, count]`.

    Raises:
        NotFoundError: There is no such layer.
        BoxError: The box is malformed.
    """
    with reading(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        edge, cells = read_counts(connection, layer, parse_box(box) if box else _whole(layer))
    return {
        "version": layer.version,
        "edge_um": edge,
        "cells": [[*corner, count] for corner, count in cells],
    }


def show_object(gateway: Gateway, dataset: str, name: str, number: int) -> dict[str, Any]:
    """Return an object with every edit of it: `object` (None where it was deleted), `history`.

    Raises:
        NotFoundError: There never was such an object.
    """
    with reading(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        item = read_objects(connection, layer, [number]).get(number)
        edits = edits_of_objects(connection, layer, [number], 0).get(number, [])
        batches = batches_at(connection, layer, sorted({version for version, _ in edits}))
    if item is None and not edits:
        raise NotFoundError(f"{layer.ref} has no object {number}")
    told = [{**batches[version].to_json(), **edit.to_json()} for version, edit in edits]
    return {
        "version": layer.version,
        "object": item.to_json() if item else None,
        "history": told,
    }


def list_versions(
    gateway: Gateway, dataset: str, name: str, *, before: int | None = None, limit: int = 100
) -> dict[str, Any]:
    """Return the batches that made the versions of a layer, the latest first.

    Raises:
        NotFoundError: There is no such layer.
    """
    with reading(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        batches = batches_before(connection, layer, before, limit)
    return {"version": layer.version, "versions": [batch.to_json() for batch in batches]}


def restore(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    *,
    version: int,
    base: int,
    key: str | None = None,
) -> dict[str, Any]:
    """Make a layer again what it was at a version, by a new batch that can be undone.

    Raises:
        NotFoundError: There is no such layer.
        CallError: There is no such version.
        ConflictError: Somebody edited the layer since `base`: they must be seen first.
    """
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        if key is not None and (known := find_batch(connection, layer, actor.name, key)):
            return known.answer
        check_base(layer, version)
        check_base(layer, base)
        if base != layer.version:
            raise ConflictError(
                f"{layer.ref} is at version {layer.version}, you saw {base}: look at what was "
                "edited since, then restore with that as base"
            )
        now, then = _differences(connection, layer, version)
        work = Work(
            layer=layer,
            base=base,
            version=layer.version + 1,
            before={number: item for number, item in now.items() if item is not None},
            now=dict(now),
            next_id=layer.next_id,
        )
        for number in sorted(now):
            _turn_into(work, number, now[number], then.get(number))
        answer = finish(connection, work, actor.name, action="restore", key=key, target=version)
        if work.edits:
            forget_redo(connection, layer, actor.name)
        return answer


def read_version(connection: Connection, layer: Layer, version: int | None) -> Iterator[Annotation]:
    """Return all objects of a layer at a version."""
    if version is None or version == layer.version:
        return read_all(connection, layer)
    check_base(layer, version)
    walked = _walked(connection, layer, version)
    untouched = (
        item
        for item in read_all(connection, layer)
        if item.id not in walked and item.born <= version
    )
    return _chain(untouched, (item for item in walked.values() if item is not None))


def _chain(*parts: Iterator[Annotation]) -> Iterator[Annotation]:
    for part in parts:
        yield from part


def _turn_into(work: Work, number: int, now: Annotation | None, then: Annotation | None) -> None:
    if now is None and then is not None:
        fields = {**then.fields(), "born": work.version}
        work.put(
            Edit(object=number, before=None, after=fields),
            then.changed({}, work.version),
        )
    elif now is not None and then is None:
        work.put(Edit(object=number, before=now.fields(), after=None), None)
    elif now is not None and then is not None:
        wanted = then.fields()
        added = dict.fromkeys(set(now.properties) - set(then.properties))
        fields = different(now, {**wanted, "properties": {**wanted["properties"], **added}})
        if fields:
            edit = Edit(object=number, before=now.values_of(fields), after=fields)
            work.put(edit, now.changed(fields, work.version))


def _differences(
    connection: Connection, layer: Layer, version: int
) -> tuple[dict[int, Annotation | None], dict[int, Annotation | None]]:
    """Return the objects that may differ between now and a version, as they are and were."""
    then = _walked(connection, layer, version)
    now: dict[int, Annotation | None] = dict.fromkeys(then)
    now |= read_objects(connection, layer, then)
    # also what an import brought, of which there are no edits
    now |= {item.id: item for item in read_born_after(connection, layer, version)}
    return now, then


def _walked(connection: Connection, layer: Layer, version: int) -> dict[int, Annotation | None]:
    """Return the objects that were edited after a version, as they were at it."""
    if count_edits(connection, layer, version) > _MOST_WALKED:
        raise LimitError(
            f"more than {_MOST_WALKED:,} edits lie between version {version} of {layer.ref} and "
            "now; choose a later version"
        )
    edits: dict[int, list[tuple[int, Edit]]] = {}
    for made, told in edits_of(connection, layer, version + 1, layer.version).items():
        for edit in told:
            edits.setdefault(edit.object, []).append((made, edit))
    now = read_objects(connection, layer, edits)
    return {n: walk_back(now.get(n), n, told, version) for n, told in edits.items()}


def _box_at(
    connection: Connection,
    layer: Layer,
    box: Any,
    version: int,
    *,
    limit: int,
    after: Cursor | None,
) -> tuple[list[Annotation], Cursor | None]:
    """Return a page of a box at a version; what was edited since comes with the first page."""
    walked = _walked(connection, layer, version)
    found, last = read_box(connection, layer, box, limit=limit, after=after)
    items = [item for item in found if item.id not in walked and item.born <= version]
    if after is None:
        items += [item for item in walked.values() if item is not None and item.meets(box)]
    return items, last


def _whole(layer: Layer) -> Any:
    high = [value + layer.block_um for value in layer.highest]
    return layer.lowest, tuple(high)


def _parse_cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        block, number = (int(part) for part in text.split("."))
    except ValueError as error:
        raise CallError(
            f"the page {text[:40]!r} is none; expected what `next` of the page before says"
        ) from error
    if not (0 <= block < 2**63 and 0 <= number < 2**63):
        raise CallError(f"the page {text[:40]!r} is none: its numbers are out of bounds")
    return block, number
