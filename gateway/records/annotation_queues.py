"""Queues of a layer in the database: made, handed out, decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from gateway.errors import NotFoundError
from gateway.records.annotation_grid import pieces
from gateway.records.annotation_tables import ObjectRow, QueueItemRow, QueueRow
from gateway.records.annotations import Layer

_PIECE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """An order in which people step through objects of a layer."""

    id: int
    order: dict[str, Any]
    filter: dict[str, Any]
    made_by: str
    made: datetime
    total: int
    done: int
    skipped: int
    gone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An object in a queue."""

    object: int
    position: int
    state: str
    person: str | None
    client: str | None
    handed: datetime | None
    until: datetime | None


def add_queue(connection: Connection, layer: Layer, numbers: Sequence[int], **values: Any) -> Queue:
    """Add a queue of objects in order."""
    blank = {"layer": layer.id, "total": len(numbers), "done": 0, "skipped": 0, "gone": 0}
    added = insert(QueueRow).values(**blank, **values).returning(QueueRow.id)
    queue = connection.execute(added).scalar_one()
    for piece in pieces(list(enumerate(numbers)), _PIECE):
        rows = [
            {"queue": queue, "object": number, "position": position, "state": "open"}
            for position, number in piece
        ]
        connection.execute(insert(QueueItemRow), rows)
    return get_queue(connection, layer, queue)


def get_queue(connection: Connection, layer: Layer, number: int, *, hold: bool = False) -> Queue:
    """Return a queue; see `get_layer` for `hold`.

    Raises:
        NotFoundError: The layer has none of that number.
    """
    rows = select(QueueRow.__table__).where(QueueRow.layer == layer.id, QueueRow.id == number)
    row = connection.execute(rows.with_for_update() if hold else rows).one_or_none()
    if row is None:
        there = ", ".join(str(each.id) for each in queues_of(connection, layer)) or "none yet"
        raise NotFoundError(f"{layer.ref} has no queue {number}; there is {there}")
    return _queue(row)


def queues_of(connection: Connection, layer: Layer) -> list[Queue]:
    """Return the queues of a layer, the latest first."""
    rows = select(QueueRow.__table__).where(QueueRow.layer == layer.id)
    return [_queue(row) for row in connection.execute(rows.order_by(QueueRow.id.desc()))]


def drop_queue(connection: Connection, queue: Queue) -> None:
    """Remove a queue; what was decided in it stays in the layer."""
    connection.execute(delete(QueueRow).where(QueueRow.id == queue.id))


def find_item(connection: Connection, queue: Queue, number: int) -> Item | None:
    """Return an object's place in a queue, or None."""
    rows = _items(queue).where(QueueItemRow.object == number)
    row = connection.execute(rows).one_or_none()
    return _item(row) if row is not None else None


def item_held_by(
    connection: Connection, queue: Queue, person: str, client: str | None, now: datetime
) -> Item | None:
    """Return the object that somebody has in hand, or None."""
    same = QueueItemRow.client.is_(None) if client is None else QueueItemRow.client == client
    rows = _items(queue).where(
        QueueItemRow.person == person,
        QueueItemRow.state == "out",
        same,
        QueueItemRow.until > now,
    )
    row = connection.execute(rows.order_by(QueueItemRow.position).limit(1)).one_or_none()
    return _item(row) if row is not None else None


def free_items(connection: Connection, queue: Queue, now: datetime, limit: int) -> list[Item]:
    """Return the next objects that wait, or that came back because their time was over."""
    state = QueueItemRow.state
    waiting = _items(queue).where(state == "open").order_by(QueueItemRow.position).limit(limit)
    back = _items(queue).where(state == "out", QueueItemRow.until <= now)
    back = back.order_by(QueueItemRow.position).limit(limit)
    found = [_item(row) for rows in (waiting, back) for row in connection.execute(rows)]
    return sorted(found, key=lambda item: item.position)[:limit]


def change_items(
    connection: Connection, queue: Queue, numbers: Iterable[int], **values: Any
) -> None:
    """Set columns of objects in a queue."""
    changed = update(QueueItemRow).where(QueueItemRow.queue == queue.id)
    for piece in pieces(list(numbers), 500):
        connection.execute(changed.where(QueueItemRow.object.in_(piece)).values(**values))


def count_up(connection: Connection, queue: Queue, **more: int) -> None:
    """Add to what a queue counts."""
    values = {name: getattr(QueueRow, name) + count for name, count in more.items()}
    connection.execute(update(QueueRow).where(QueueRow.id == queue.id).values(**values))


def count_out(connection: Connection, queue: Queue, now: datetime) -> int:
    """Return how many objects are in somebody's hands."""
    out = and_(QueueItemRow.state == "out", QueueItemRow.until > now)
    rows = select(func.count()).select_from(QueueItemRow).where(QueueItemRow.queue == queue.id, out)
    return int(connection.scalar(rows) or 0)


def decisions_of(connection: Connection, queue: Queue) -> list[Any]:
    """Return who decided what when, in the order of time."""
    rows = select(
        QueueItemRow.object,
        QueueItemRow.person,
        QueueItemRow.state,
        QueueItemRow.handed,
        QueueItemRow.decided,
        QueueItemRow.seconds,
    )
    decided = or_(QueueItemRow.state == "done", QueueItemRow.state == "skipped")
    rows = rows.where(QueueItemRow.queue == queue.id, decided).order_by(QueueItemRow.decided)
    return list(connection.execute(rows))


def candidates(
    connection: Connection, layer: Layer, *, status: str | None, label: str | None
) -> Iterable[Row[Any]]:
    """Return number, position and properties of the objects with a status and class."""
    rows = select(ObjectRow.id, ObjectRow.z, ObjectRow.y, ObjectRow.x, ObjectRow.properties)
    rows = rows.where(ObjectRow.layer == layer.id)
    if status is not None:
        rows = rows.where(ObjectRow.status == status)
    if label is not None:
        rows = rows.where(ObjectRow.class_name == label)
    return connection.execute(rows.execution_options(yield_per=5000))


def _items(queue: Queue) -> Any:
    return select(QueueItemRow.__table__).where(QueueItemRow.queue == queue.id)


def _queue(row: Row[Any]) -> Queue:
    return Queue(
        id=row.id,
        order=row.ordering,
        filter=row.narrowed,
        made_by=row.made_by,
        made=row.made,
        total=row.total,
        done=row.done,
        skipped=row.skipped,
        gone=row.gone,
    )


def _item(row: Row[Any]) -> Item:
    return Item(
        object=row.object,
        position=row.position,
        state=row.state,
        person=row.person,
        client=row.client,
        handed=row.handed,
        until=row.until,
    )
