"""Writes objects of a layer by the million, in the order of their blocks."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from gateway.errors import StoreError
from gateway.records.annotation_grid import SCALES
from gateway.records.annotation_objects import Delta, add_counts
from gateway.records.annotations import Annotation, Layer

_COLUMNS = (
    "layer, block, id, z, y, x, shape, points, class_name, status, comment, properties, "
    "born, version"
)
_PIECE = 50_000
BulkRow = tuple[Any, ...]


def add_points(
    connection: Connection,
    layer: Layer,
    positions: NDArray[np.float64],
    *,
    labels: Sequence[str | None],
    properties: Sequence[str | None],
    version: int,
) -> None:
    """Add points numbered from `layer.next_id`, in the order of their blocks.

    Args:
        connection: The write.
        layer: Where to.
        positions: Rows of zyx in micrometres.
        labels: The class of each.
        properties: The properties of each, as JSON.
        version: The version that makes them.
    """
    blocks = layer.grid.cells(positions, 0)
    order = np.argsort(blocks, kind="stable")
    rows = (
        (
            layer.id, block, layer.next_id + n, *at, "point", None, labels[row], "undecided",
            None, properties[row], version, version,
        )
        for n, (row, block, at) in enumerate(
            zip(order.tolist(), blocks[order].tolist(), positions[order].tolist(), strict=True)
        )
    )  # fmt: skip
    _insert(connection, rows)
    add_counts(connection, layer, _count(layer, positions))


def add_objects(connection: Connection, layer: Layer, items: Sequence[Annotation]) -> None:
    """Add objects that have their numbers and versions."""
    if not items:
        return
    blocks = [item.block(layer.grid) for item in items]
    order = sorted(range(len(items)), key=blocks.__getitem__)
    _insert(connection, (_row(layer, blocks[n], items[n]) for n in order))
    centres = np.asarray([item.centre for item in items], np.float64)
    add_counts(connection, layer, _count(layer, centres))


def _row(layer: Layer, block: int, item: Annotation) -> BulkRow:
    points = None if item.shape == "point" else json.dumps(item.points)
    properties = json.dumps(item.properties) if item.properties else None
    return (
        layer.id, block, item.id, *item.centre, item.shape, points, item.label, item.status,
        item.comment or None, properties, item.born, item.version,
    )  # fmt: skip


def _count(layer: Layer, centres: NDArray[np.float64]) -> Delta:
    delta: Delta = Counter()
    for scale in range(SCALES):
        cells, counts = np.unique(layer.grid.cells(centres, scale), return_counts=True)
        found = zip(cells.tolist(), counts.tolist(), strict=True)
        delta.update({(scale, cell): count for cell, count in found})
    return delta


def _insert(connection: Connection, rows: Iterable[BulkRow]) -> None:
    """Insert below the level at which SQLAlchemy looks at each value."""
    if connection.dialect.name == "postgresql":
        _copy(connection, rows)
        return
    marks = ", ".join("?" * (_COLUMNS.count(",") + 1))
    statement = f"INSERT INTO layer_objects ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants
    for piece in _cut(rows):
        connection.exec_driver_sql(statement, piece)


def _copy(connection: Connection, rows: Iterable[BulkRow]) -> None:
    driver: Any = connection.connection.driver_connection
    error_of = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor:  # noqa: SIM117 - the copy needs the cursor
            with cursor.copy(f"COPY layer_objects ({_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
    except error_of as error:
        raise StoreError(f"the database failed while objects were added: {error}") from error


def _cut(rows: Iterable[BulkRow]) -> Iterator[list[BulkRow]]:
    source = iter(rows)
    while piece := list(islice(source, _PIECE)):
        yield piece
