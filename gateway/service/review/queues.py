"""Queues: objects in the order in which people judge them, each in one pair of hands at a time."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CallError, ConflictError
from gateway.records.annotation_history import find_batch
from gateway.records.annotation_layers import get_layer
from gateway.records.annotation_objects import read_objects
from gateway.records.annotation_queues import (
    Item,
    Queue,
    add_queue,
    candidates,
    change_items,
    count_out,
    count_up,
    drop_queue,
    find_item,
    free_items,
    get_queue,
    item_held_by,
    queues_of,
)
from gateway.records.annotations import Annotation, Layer
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway
from gateway.service.review.checks import check_class, check_status
from gateway.service.review.edits import apply_batch

LEASE_S = 300
_PLACES = {"id": 0, "z_um": 1, "y_um": 2, "x_um": 3}
_LOOKED_AT = 50


def make_queue(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    *,
    column: str | None = None,
    descending: bool = False,
    seed: int | None = None,
    status: str | None = "undecided",
    label: str | None = None,
) -> dict[str, Any]:
    """Make a queue of the objects there are now.

    Args:
        gateway: The gateway.
        actor: Who makes it.
        dataset: The dataset.
        name: The layer.
        column: What to order by: a property, `id`, `z_um`, `y_um` or `x_um`; objects without it
            come last. None with a seed gives a random order, without one that of numbers.
        descending: Whether the greatest comes first.
        seed: Of the random order.
        status: Only objects of this status; None takes all.
        label: Only objects of this class.

    Raises:
        NotFoundError: There is no such layer.
        CallError: The column, status or class is not known, or column and seed are both given.
    """
    if column is not None and seed is not None:
        raise CallError("a queue is in the order of a column or random by a seed, not both")
    if status is not None:
        check_status(status, "the filter of the queue")
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        check_class(layer, label, "the filter of the queue")
        if column is not None and column not in _PLACES and column not in layer.columns:
            there = ", ".join((*_PLACES, *layer.columns))
            raise CallError(f"{layer.ref} has no column {column!r} to order by; there is {there}")
        rows = candidates(connection, layer, status=status, label=label)
        numbers = _ordered(rows, column, descending=descending, seed=seed)
        queue = add_queue(
            connection,
            layer,
            numbers,
            order={"column": column, "descending": descending, "seed": seed},
            filter={"status": status, "class": label},
            made_by=actor.name,
            made=datetime.now(UTC),
        )
        return _told(connection, queue)


def list_queues(gateway: Gateway, dataset: str, name: str) -> list[dict[str, Any]]:
    """Return the queues of a layer, the latest first.

    Raises:
        NotFoundError: There is no such layer.
    """
    with reading(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        return [_told(connection, queue) for queue in queues_of(connection, layer)]


def remove_queue(gateway: Gateway, dataset: str, name: str, number: int) -> None:
    """Remove a queue; what was decided in it stays in the layer.

    Raises:
        NotFoundError: There is no such layer or queue.
    """
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        drop_queue(connection, get_queue(connection, layer, number))


def next_object(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    number: int,
    *,
    client: str | None = None,
) -> dict[str, Any]:
    """Hand out the next object of a queue; nobody else gets it until it is decided or late.

    Whoever has one in hand gets the same again.

    Args:
        gateway: The gateway.
        actor: Who asks.
        dataset: The dataset.
        name: The layer.
        number: The queue.
        client: Tells pages of one person, and people behind one share link, from one another.

    Returns:
        `object` (None where none is free), `until`, `position`, `version` of the layer, and
        `queue` with its counts.

    Raises:
        NotFoundError: There is no such layer or queue.
    """
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        queue = get_queue(connection, layer, number, hold=True)
        return hand_out(connection, layer, queue, actor.name, client)


def hand_out(
    connection: Connection, layer: Layer, queue: Queue, person: str, client: str | None
) -> dict[str, Any]:
    """Hand out an object inside a write that holds the queue; see `next_object`."""
    now = datetime.now(UTC)
    held = item_held_by(connection, queue, person, client, now)
    item, found = (None, None)
    if held is not None:
        item, found = held, read_objects(connection, layer, [held.object]).get(held.object)
        if found is None:
            _drop_gone(connection, queue, [held.object])
            item = None
    if item is None:
        item, found = _take(connection, layer, queue, now)
    until = now + timedelta(seconds=LEASE_S)
    if item is not None:
        handed = item.handed if item is held else now
        who = {"person": person, "client": client, "handed": handed}
        change_items(connection, queue, [item.object], state="out", until=until, **who)
    return {
        "object": found.to_json() if found and item else None,
        "position": item.position if item else None,
        "until": until.isoformat() if item else None,
        "version": layer.version,
        "queue": _told(connection, get_queue(connection, layer, queue.id)),
    }


def decide(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    number: int,
    *,
    object_id: int,
    base: int,
    edits: Sequence[Mapping[str, Any]] = (),
    seconds: float | None = None,
    skip: bool = False,
    key: str | None = None,
    client: str | None = None,
) -> dict[str, Any]:
    """Decide on the object in hand: apply the edits and count it done, or skip it.

    Where an edit conflicts with what somebody changed, the object stays in hand.

    Returns:
        What `apply_edits` returns, `decided`, and `next`: what `next_object` hands out then.

    Raises:
        NotFoundError: There is no such layer, queue or object in it.
        ConflictError: The object went to somebody else, or was decided.
        CallError: An edit is malformed.
    """
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        queue = get_queue(connection, layer, number, hold=True)
        known = key is not None and find_batch(connection, layer, actor.name, key) is not None
        item = _in_hand(connection, layer, queue, object_id, (actor.name, client))
        again = item.state != "out"
        answer: dict[str, Any] = {"version": layer.version, "conflicts": [], "missed": []}
        if (edits and not again) or known:
            answer = apply_batch(connection, layer, actor.name, base=base, edits=edits, key=key)
        decided = not answer["conflicts"]
        if decided and not again:
            _settle(connection, queue, item, seconds, skip=skip, version=answer["version"])
        after = get_layer(connection, dataset, name)
        following = hand_out(connection, after, queue, actor.name, client) if decided else None
        return {**answer, "decided": decided, "next": following}


def release(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    name: str,
    number: int,
    *,
    client: str | None = None,
) -> None:
    """Give back what one has in hand, so that others get it at once.

    Raises:
        NotFoundError: There is no such layer or queue.
    """
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        queue = get_queue(connection, layer, number, hold=True)
        held = item_held_by(connection, queue, actor.name, client, now)
        if held is not None:
            nobody = {"person": None, "client": None, "until": None, "handed": None}
            change_items(connection, queue, [held.object], state="open", **nobody)


def _ordered(
    rows: Iterable[Any], column: str | None, *, descending: bool, seed: int | None
) -> list[int]:
    if column is None:
        numbers = sorted(row.id for row in rows)
        if seed is not None:
            random.Random(seed).shuffle(numbers)  # noqa: S311 - an order, not a secret
        return numbers[::-1] if descending else numbers
    place = _PLACES.get(column)
    values: list[tuple[Any, int]] = [
        (row[place] if place is not None else (row.properties or {}).get(column), row.id)
        for row in rows
    ]
    having = [pair for pair in values if isinstance(pair[0], int | float)]
    texts = [pair for pair in values if isinstance(pair[0], str)]
    ordered: list[tuple[Any, int]] = []
    for group in (having, texts):
        group.sort(key=lambda pair: pair[1])
        ordered += sorted(group, key=lambda pair: pair[0], reverse=descending)
    return [n for _, n in ordered] + sorted(n for value, n in values if value is None)


def _take(
    connection: Connection, layer: Layer, queue: Queue, now: datetime
) -> tuple[Item | None, Annotation | None]:
    """Find the first free object that is still there and still as the queue wants it."""
    while free := free_items(connection, queue, now, _LOOKED_AT):
        objects = read_objects(connection, layer, [item.object for item in free])
        stale: list[int] = []
        for item in free:
            found = objects.get(item.object)
            if found is not None and _wanted(found, queue.filter):
                _drop_gone(connection, queue, stale)
                return item, found
            stale.append(item.object)
        _drop_gone(connection, queue, stale)
    return None, None


def _wanted(item: Annotation, narrowed: Mapping[str, Any]) -> bool:
    status, label = narrowed.get("status"), narrowed.get("class")
    return status in (None, item.status) and label in (None, item.label)


def _drop_gone(connection: Connection, queue: Queue, numbers: Sequence[int]) -> None:
    if numbers:
        change_items(connection, queue, numbers, state="gone", until=None)
        count_up(connection, queue, gone=len(numbers))


def _in_hand(
    connection: Connection, layer: Layer, queue: Queue, number: int, who: tuple[str, str | None]
) -> Item:
    item = find_item(connection, queue, number)
    if item is None:
        raise CallError(f"queue {queue.id} of {layer.ref} does not hold object {number}")
    if (item.person, item.client) != who or item.state in ("open", "gone"):
        raise ConflictError(
            f"object {number} is not in your hands: it is {item.state}"
            + (f" with {item.person}" if item.person else "")
            + "; ask for the next one"
        )
    return item


def _settle(
    connection: Connection,
    queue: Queue,
    item: Item,
    seconds: float | None,
    *,
    skip: bool,
    version: int,
) -> None:
    now = datetime.now(UTC)
    if seconds is None and item.handed is not None:
        seconds = (now - item.handed).total_seconds()
    state = "skipped" if skip else "done"
    change_items(
        connection,
        queue,
        [item.object],
        state=state,
        decided=now,
        seconds=seconds,
        version=version,
        until=None,
    )
    count_up(connection, queue, **{state: 1})


def _told(connection: Connection, queue: Queue) -> dict[str, Any]:
    settled = queue.done + queue.skipped + queue.gone
    out = count_out(connection, queue, datetime.now(UTC))
    return {
        "id": queue.id,
        "order": queue.order,
        "filter": queue.filter,
        "made_by": queue.made_by,
        "made": queue.made.isoformat(),
        "total": queue.total,
        "done": queue.done,
        "skipped": queue.skipped,
        "gone": queue.gone,
        "out": out,
        "left": queue.total - settled,
    }
