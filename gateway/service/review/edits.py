"""Edits: differences that people send; those of different things merge, a conflict is shown."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CallError, LimitError
from gateway.records.annotation_history import (
    Batch,
    Edit,
    add_batch,
    batches_since,
    count_edits,
    edits_of,
    find_batch,
    forget_redo,
)
from gateway.records.annotation_layers import change_layer, get_layer
from gateway.records.annotation_objects import write_objects
from gateway.records.annotations import Layer
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway
from gateway.service.review.checks import MOST_EDITS
from gateway.service.review.merging import Since, Work, apply_edit, start_work

_MOST_MISSED = 5000
_LONGEST_KEY = 100


def apply_edits(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    *,
    base: int,
    edits: Sequence[Mapping[str, Any]],
    key: str | None = None,
) -> dict[str, Any]:
    """Apply a batch of edits; what is returned is on the disk.

    Each edit is applied whole or not at all: one that would change a field which was changed
    since `base` is told as a conflict, and the others of the batch are applied.

    Args:
        gateway: The gateway.
        actor: Who edits.
        dataset: The dataset.
        name: The layer.
        base: The version that whoever edits has seen.
        edits: `{"op": "create", …}`, `{"op": "set", "id": …, …}` or `{"op": "delete", "id": …}`.
        key: Names the batch: sent again under the same key, it is answered, not applied again.

    Returns:
        `version`; `created`, the ids of the created objects in order; `applied`, how many edits
        changed something; `conflicts`; `missed`, the batches of others since `base`, or None
        where they are too many to tell.

    Raises:
        NotFoundError: There is no such layer, or an edit names an object that never was.
        CallError: An edit is malformed, or the base is not a version of the layer.
        BoxError: A position lies outside the volume.
        LimitError: There are too many edits.
    """
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        return apply_batch(connection, layer, actor.name, base=base, edits=edits, key=key)


def apply_batch(
    connection: Connection,
    layer: Layer,
    person: str,
    *,
    base: int,
    edits: Sequence[Mapping[str, Any]],
    key: str | None = None,
) -> dict[str, Any]:
    """Apply a batch of edits inside a write that holds the layer; see `apply_edits`."""
    if key is not None:
        if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
            raise CallError(f"the key {key[:40]!r} is not printable text of at most 100 characters")
        if known := find_batch(connection, layer, person, key):
            return {**known.answer, "missed": missed(connection, layer, base, known.version)}
    check_base(layer, base)
    if len(edits) > MOST_EDITS:
        raise LimitError(
            f"{len(edits)} edits in one batch for {layer.ref}; at most {MOST_EDITS}: send several"
        )
    work = start_work(connection, layer, base, [_target(edit) for edit in edits])
    since = Since.of(connection, work, [_target(edit) for edit in edits])
    for position, edit in enumerate(edits):
        apply_edit(work, since, edit, position)
    answer = finish(connection, work, person, action="edit", key=key)
    if work.edits:
        forget_redo(connection, layer, person)
    return {**answer, "missed": missed(connection, layer, base, answer["version"])}


def check_base(layer: Layer, base: int) -> None:
    """Refuse a base that is no version of the layer.

    Raises:
        CallError: It is not.
    """
    if not 0 <= base <= layer.version:
        raise CallError(
            f"the base {base} is no version of {layer.ref}, which is at {layer.version}; "
            "load the layer again"
        )


def finish(
    connection: Connection,
    work: Work,
    person: str,
    *,
    action: str,
    key: str | None = None,
    target: int | None = None,
    stack: str = "undo",
    ordinal: int | None = None,
) -> dict[str, Any]:
    """Write a batch; nothing is written where nothing changed."""
    layer = work.layer
    answer: dict[str, Any] = {
        "version": work.version if work.edits else layer.version,
        "created": work.created,
        "applied": len(work.edits),
        "conflicts": work.conflicts,
    }
    if not work.edits:
        return answer
    more = write_objects(connection, layer, work.changes())
    items = [item for item in work.now.values() if item is not None]
    columns = list(layer.columns)
    columns += sorted({name for item in items for name in item.properties} - set(columns))
    now = datetime.now(UTC)
    change_layer(
        connection,
        layer,
        version=work.version,
        count=layer.count + more,
        next_id=max(work.next_id, layer.next_id),
        columns=columns,
        extended=layer.extended or any(item.shape != "point" for item in items),
        changed=now,
    )
    batch = Batch(
        version=work.version,
        base=work.base,
        person=person,
        at=now,
        action=action,
        target=target,
        key=key,
        count=len(work.edits),
        answer=answer,
        stack=stack,
        ordinal=work.version if ordinal is None else ordinal,
    )
    add_batch(connection, layer, batch, work.edits)
    return answer


def missed(
    connection: Connection, layer: Layer, base: int, version: int
) -> list[dict[str, Any]] | None:
    """Return the batches after `base` and before `version`; None where they are too many."""
    others = [b for b in batches_since(connection, layer, base) if b.version < version]
    if not others:
        return []
    if sum(batch.count for batch in others) > _MOST_MISSED:
        return None
    edits = edits_of(connection, layer, others[0].version, others[-1].version)
    return [told(batch, edits.get(batch.version, [])) for batch in others]


def told(batch: Batch, edits: Sequence[Edit]) -> dict[str, Any]:
    """Return a batch with its edits; `reload` where it brought objects by the million."""
    bulk = batch.action == "import"
    return {**batch.to_json(), "edits": [edit.to_json() for edit in edits], "reload": bulk}


def edits_since(
    gateway: Gateway, dataset: str, name: str, since: int, limit: int = 1000
) -> dict[str, Any]:
    """Return the batches after a version, in order: what a client needs to catch up.

    Returns:
        `version` of the layer, `batches`, and `more`: whether there are later ones than those
        told. `reload` in place of batches where they hold too many edits.

    Raises:
        NotFoundError: There is no such layer.
        CallError: `since` is no version of it.
    """
    with reading(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        check_base(layer, since)
        batches = batches_since(connection, layer, since, limit + 1)
        more = len(batches) > limit
        batches = batches[:limit]
        answer: dict[str, Any] = {"version": layer.version, "more": more, "reload": False}
        if not batches:
            return {**answer, "batches": []}
        if count_edits(connection, layer, since) > 20 * _MOST_MISSED:
            return {**answer, "batches": [], "reload": True, "more": False}
        edits = edits_of(connection, layer, batches[0].version, batches[-1].version)
        return {**answer, "batches": [told(b, edits.get(b.version, [])) for b in batches]}


def _target(edit: Mapping[str, Any]) -> int:
    number = edit.get("id", 0)
    return number if isinstance(number, int) and not isinstance(number, bool) else 0
