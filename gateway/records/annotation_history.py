"""Batches of edits in the database: added, listed, walked back to an earlier version."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from gateway.records.annotation_grid import pieces
from gateway.records.annotation_tables import BatchRow, EditRow
from gateway.records.annotations import Annotation, Fields, Layer, annotation

_PIECE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a batch did to one object."""

    object: int
    before: Fields | None
    after: Fields | None

    def to_json(self) -> dict[str, Any]:
        """Return the edit as the API tells it."""
        return {"id": self.object, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch of edits, which made one version of a layer."""

    version: int
    base: int
    person: str
    at: datetime
    action: str
    target: int | None = None
    key: str | None = None
    count: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    stack: str = ""
    ordinal: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the batch as the API tells it."""
        return {
            "version": self.version,
            "base": self.base,
            "person": self.person,
            "at": self.at.isoformat(),
            "action": self.action,
            "target": self.target,
            "count": self.count,
        }


def add_batch(
    connection: Connection, layer: Layer, batch: Batch, edits: Iterable[Edit] = ()
) -> None:
    """Add a batch and its edits."""
    values = {name: getattr(batch, name) for name in Batch.__slots__}
    connection.execute(insert(BatchRow).values(layer=layer.id, **values))
    rows = [
        {
            "layer": layer.id,
            "version": batch.version,
            "position": position,
            "object": edit.object,
            "old": edit.before,
            "new": edit.after,
        }
        for position, edit in enumerate(edits)
    ]
    if rows:
        connection.execute(insert(EditRow), rows)


def find_batch(connection: Connection, layer: Layer, person: str, key: str) -> Batch | None:
    """Return what a person sent under an idempotency key, or None."""
    found = _batches(layer).where(BatchRow.person == person, BatchRow.key == key)
    row = connection.execute(found).one_or_none()
    return batch_of(row) if row is not None else None


def get_batch(connection: Connection, layer: Layer, version: int) -> Batch | None:
    """Return the batch that made a version, or None."""
    row = connection.execute(_batches(layer).where(BatchRow.version == version)).one_or_none()
    return batch_of(row) if row is not None else None


def batches_at(connection: Connection, layer: Layer, versions: Sequence[int]) -> dict[int, Batch]:
    """Return the batches that made some versions, by version."""
    found: dict[int, Batch] = {}
    for piece in pieces(versions, _PIECE):
        rows = connection.execute(_batches(layer).where(BatchRow.version.in_(piece)))
        found |= {row.version: batch_of(row) for row in rows}
    return found


def batches_since(
    connection: Connection, layer: Layer, since: int, limit: int | None = None
) -> list[Batch]:
    """Return the batches that made versions after `since`, in order."""
    found = _batches(layer).where(BatchRow.version > since)
    rows = connection.execute(found.order_by(BatchRow.version).limit(limit))
    return [batch_of(row) for row in rows]


def batches_before(
    connection: Connection, layer: Layer, before: int | None, limit: int
) -> list[Batch]:
    """Return batches, the latest first, of versions before one."""
    found = _batches(layer).order_by(BatchRow.version.desc()).limit(limit)
    if before is not None:
        found = found.where(BatchRow.version < before)
    return [batch_of(row) for row in connection.execute(found)]


def edits_of(connection: Connection, layer: Layer, first: int, last: int) -> dict[int, list[Edit]]:
    """Return the edits of versions `first` to `last`, both included, by version, in order."""
    found = _edits(layer).where(EditRow.version.between(first, last))
    rows = connection.execute(found.order_by(EditRow.version, EditRow.position))
    edits: dict[int, list[Edit]] = {}
    for row in rows:
        edits.setdefault(row.version, []).append(edit_of(row))
    return edits


def edits_of_objects(
    connection: Connection, layer: Layer, numbers: Sequence[int], since: int
) -> dict[int, list[tuple[int, Edit]]]:
    """Return for each object the versions after `since` that changed it, with what they did."""
    edits: dict[int, list[tuple[int, Edit]]] = {}
    for piece in pieces(sorted(numbers), _PIECE):
        found = _edits(layer).where(EditRow.version > since, EditRow.object.in_(piece))
        rows = connection.execute(found.order_by(EditRow.version, EditRow.position))
        for row in rows:
            edits.setdefault(row.object, []).append((row.version, edit_of(row)))
    return edits


def count_edits(connection: Connection, layer: Layer, since: int) -> int:
    """Return how many edits were made after a version; imports have none."""
    found = select(func.coalesce(func.sum(BatchRow.count), 0)).where(
        BatchRow.layer == layer.id, BatchRow.version > since, BatchRow.action != "import"
    )
    return int(connection.scalar(found) or 0)


def walk_back(
    current: Annotation | None, number: int, edits: Sequence[tuple[int, Edit]], version: int
) -> Annotation | None:
    """Return an object as it was at a version, or None where it was not there.

    Args:
        current: The object now, None where it is gone.
        number: Its number.
        edits: All that was done to it after that version, in order.
        version: The version wanted.
    """
    item = current
    for made, edit in reversed(edits):
        if edit.before is None:
            item = None
        elif edit.after is None:
            born = int(edit.before.get("born", 0))
            item = annotation(number, edit.before, born=born, version=min(made - 1, version))
        elif item is not None:
            item = item.changed(edit.before, min(made - 1, version))
    return None if item is None or item.born > version else item


def top_of_stack(connection: Connection, layer: Layer, person: str, stack: str) -> Batch | None:
    """Return what a person would undo or redo next, or None."""
    found = _batches(layer).where(BatchRow.person == person, BatchRow.stack == stack)
    order = BatchRow.ordinal.desc() if stack == "undo" else BatchRow.ordinal
    row = connection.execute(found.order_by(order).limit(1)).one_or_none()
    return batch_of(row) if row is not None else None


def set_stack(connection: Connection, layer: Layer, version: int, stack: str) -> None:
    """Move a batch to another stack."""
    same = (BatchRow.layer == layer.id, BatchRow.version == version)
    connection.execute(update(BatchRow).where(*same).values(stack=stack))


def forget_redo(connection: Connection, layer: Layer, person: str) -> None:
    """Clear what a person could redo: they went another way."""
    same = (BatchRow.layer == layer.id, BatchRow.person == person, BatchRow.stack == "redo")
    connection.execute(update(BatchRow).where(*same).values(stack=""))


def batch_of(row: Row[Any]) -> Batch:
    """Return the batch of a row."""
    return Batch(
        version=row.version,
        base=row.base,
        person=row.person,
        at=row.at,
        action=row.action,
        target=row.target,
        key=row.idempotency_key,
        count=row.edits,
        answer=row.answer,
        stack=row.stack,
        ordinal=row.ordinal,
    )


def edit_of(row: Row[Any]) -> Edit:
    """Return the edit of a row."""
    return Edit(object=row.object, before=row.old, after=row.new)


def _batches(layer: Layer) -> Any:
    return select(BatchRow.__table__).where(BatchRow.layer == layer.id)


def _edits(layer: Layer) -> Any:
    return select(EditRow.__table__).where(EditRow.layer == layer.id)
