"""Objects of annotation layers in the database: read by block or number, written one by one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.records.annotation_grid import FACTOR, LEVELS, SCALES, pieces, scale_for
from gateway.records.annotation_tables import CountRow, ObjectRow
from gateway.records.annotations import Annotation, Layer
from gateway.volumes.box import Vector
from gateway.volumes.points import BoxUm

_PIECE = 500
_MOST_CELLS = 4096

Cursor = tuple[int, int]
"""The block and the number of the last object of a page."""
Change = tuple[Annotation | None, Annotation | None]
"""An object before and after; None where it was not, or is no more."""
Delta = Counter[tuple[int, int]]
"""By how many objects the cells of scale and block change."""


def read_objects(
    connection: Connection, layer: Layer, numbers: Iterable[int]
) -> dict[int, Annotation]:
    """Return objects by number; those that do not exist are left out."""
    found: dict[int, Annotation] = {}
    for piece in pieces(sorted(set(numbers)), _PIECE):
        rows = select(ObjectRow.__table__).where(
            ObjectRow.layer == layer.id, ObjectRow.id.in_(piece)
        )
        found |= {row.id: annotation_of(row) for row in connection.execute(rows)}
    return found


def read_all(connection: Connection, layer: Layer) -> Iterator[Annotation]:
    """Return every object, block by block, without holding them all."""
    rows = select(ObjectRow.__table__).where(ObjectRow.layer == layer.id)
    rows = rows.order_by(ObjectRow.block, ObjectRow.id)
    streamed = connection.execute(rows.execution_options(yield_per=5000))
    return map(annotation_of, streamed)


def read_born_after(connection: Connection, layer: Layer, version: int) -> list[Annotation]:
    """Return the objects made after a version that are still there."""
    rows = select(ObjectRow.__table__)
    rows = rows.where(ObjectRow.layer == layer.id, ObjectRow.born > version)
    return [annotation_of(row) for row in connection.execute(rows)]


def read_box(
    connection: Connection, layer: Layer, box: BoxUm, *, limit: int, after: Cursor | None = None
) -> tuple[list[Annotation], Cursor | None]:
    """Return at most `limit` objects that reach into a box, and where the next page begins."""
    found: list[Annotation] = []
    for level in range(LEVELS if layer.extended else 1):
        grown = layer.grid.edge(level) / 2 if 0 < level < LEVELS - 1 else 0.0
        inside = _inside(box, grown) if level < LEVELS - 1 else []
        for first, last in layer.grid.ranges(box, level):
            if after is not None and after[0] > last:
                continue
            # one range is one piece of the key: read in its order, it needs no sorting and
            # ends where the page is full, however many objects the box holds
            rows = select(ObjectRow.__table__).where(
                ObjectRow.layer == layer.id, ObjectRow.block.between(first, last), *inside
            )
            if after is not None and after[0] >= first:
                rows = rows.where(_later(after))
            rows = rows.order_by(ObjectRow.block, ObjectRow.id).limit(limit - len(found))
            reached = connection.execute(rows).all()
            full = len(reached) == limit - len(found)
            found += [item for item in map(annotation_of, reached) if item.meets(box)]
            if full:
                return found, (reached[-1].block, reached[-1].id)
    return found, None


def read_counts(
    connection: Connection, layer: Layer, box: BoxUm
) -> tuple[float, list[tuple[Vector, int]]]:
    """Return the edge of cells in micrometres, and their lowest corners with objects in them."""
    grid = layer.grid
    scale = scale_for(grid, box, _MOST_CELLS)
    cells: list[tuple[Vector, int]] = []
    edge = grid.block_um * float(FACTOR**scale)
    for first, last in grid.count_ranges(box, scale):
        rows = select(CountRow.block, CountRow.count.label("objects")).where(
            CountRow.layer == layer.id,
            CountRow.scale == scale,
            CountRow.block.between(first, last),
            CountRow.count > 0,
        )
        for row in connection.execute(rows):
            corner = grid.corner(row.block, scale)
            if all(
                at + edge > start and at < stop
                for at, start, stop in zip(corner, *box, strict=True)
            ):
                cells.append((corner, row.objects))
    return edge, cells


def write_objects(connection: Connection, layer: Layer, changes: Mapping[int, Change]) -> int:
    """Write changed objects and the counts of their cells; return by how many there are more."""
    delta: Delta = Counter()
    gone = [number for number, (before, _) in changes.items() if before is not None]
    for piece in pieces(gone, _PIECE):
        connection.execute(
            delete(ObjectRow).where(ObjectRow.layer == layer.id, ObjectRow.id.in_(piece))
        )
    rows = [_values(layer, after) for _, after in changes.values() if after is not None]
    if rows:
        connection.execute(insert(ObjectRow), rows)
    for before, after in changes.values():
        for item, sign in ((before, -1), (after, 1)):
            if item is not None:
                for scale in range(SCALES):
                    delta[scale, layer.grid.cell(item.centre, scale)] += sign
    add_counts(connection, layer, delta)
    return len(rows) - len(gone)


def add_counts(connection: Connection, layer: Layer, delta: Delta) -> None:
    """Add to the counts of cells; a cell without objects is forgotten."""
    rows = [
        {"layer": layer.id, "scale": scale, "block": block, "objects": count}
        for (scale, block), count in sorted(delta.items())
        if count
    ]
    if not rows:
        return
    table = CountRow.__table__
    into: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    added = into.on_conflict_do_update(
        index_elements=["layer", "scale", "block"],
        set_={"objects": table.c.objects + into.excluded.objects},
    )
    connection.execute(added, rows)
    less = [(row["scale"], row["block"]) for row in rows if row["objects"] < 0]
    for piece in pieces(less, _PIECE // 5):
        cells = [and_(CountRow.scale == scale, CountRow.block == block) for scale, block in piece]
        empty = delete(CountRow).where(CountRow.layer == layer.id, CountRow.count <= 0)
        connection.execute(empty.where(or_(*cells)))


def annotation_of(row: Row[Any]) -> Annotation:
    """Return the object of a row."""
    points = row.points if row.points is not None else ((row.z, row.y, row.x),)
    return Annotation(
        id=row.id,
        shape=row.shape,
        points=tuple((z, y, x) for z, y, x in points),
        label=row.class_name,
        status=row.status,
        comment=row.comment or "",
        properties=row.properties or {},
        born=row.born,
        version=row.version,
    )


def _values(layer: Layer, item: Annotation) -> dict[str, Any]:
    z, y, x = item.centre
    return {
        "layer": layer.id,
        "block": item.block(layer.grid),
        "id": item.id,
        "z": z,
        "y": y,
        "x": x,
        "shape": item.shape,
        "points": None if item.shape == "point" else [list(point) for point in item.points],
        "class_name": item.label,
        "status": item.status,
        "comment": item.comment or None,
        "properties": item.properties or None,
        "born": item.born,
        "version": item.version,
    }


def _inside(box: BoxUm, grown: float) -> list[Any]:
    columns = (ObjectRow.z, ObjectRow.y, ObjectRow.x)
    conditions: list[Any] = []
    for column, start, stop in zip(columns, *box, strict=True):
        # the centre of what touches the box may lie exactly at the grown face
        upper = column <= stop + grown if grown else column < stop
        conditions += [column >= start - grown, upper]
    return conditions


def _later(after: Cursor) -> Any:
    block, number = after
    return or_(ObjectRow.block > block, and_(ObjectRow.block == block, ObjectRow.id > number))
