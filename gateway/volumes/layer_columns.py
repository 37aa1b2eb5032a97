"""Objects of an annotation layer as the columns of a table, and back, without loss.

Every table has `z_um,y_um,x_um` (the middle of the object) first, then `id,shape,points,class,
status,comment`, then a column per property. `points` is JSON, empty for a point. A property whose
values are all of one type has a column of that type; others are JSON text and marked so.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.errors import FormatError

ColumnKind = Literal["bool", "int", "float", "text", "json"]
FIXED: dict[str, ColumnKind] = {
    "z_um": "float",
    "y_um": "float",
    "x_um": "float",
    "id": "int",
    "shape": "text",
    "points": "text",
    "class": "text",
    "status": "text",
    "comment": "text",
}
BORN, CHANGED = "gateway:born", "gateway:version"
"""Columns of a layer at rest: the versions that made and that last changed an object."""
_KINDS: dict[type, ColumnKind] = {bool: "bool", int: "int", float: "float", str: "text"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of objects."""

    name: str
    kind: ColumnKind
    missing: bool
    """Whether some objects do not have it."""


def infer_columns(objects: Iterable[Mapping[str, Any]]) -> list[Column]:
    """Return the columns that hold some objects, by looking at every property of each."""
    kinds: dict[str, set[ColumnKind]] = {}
    counts: dict[str, int] = {}
    total = 0
    for item in objects:
        total += 1
        for name, value in item["properties"].items():
            kinds.setdefault(name, set()).add(_KINDS[type(value)])
            counts[name] = counts.get(name, 0) + 1
    fixed = [Column(name, kind, name in ("points", "class")) for name, kind in FIXED.items()]
    return fixed + [
        Column(name, next(iter(found)) if len(found) == 1 else "json", counts[name] < total)
        for name, found in kinds.items()
    ]


def to_values(objects: Sequence[Mapping[str, Any]], column: Column) -> list[Any]:
    """Return a column of some objects; None where one does not have it."""
    name = column.name
    if name in _FIXED_VALUES:
        return [_FIXED_VALUES[name](item) for item in objects]
    found = [item["properties"].get(name) for item in objects]
    if column.kind == "json":
        return [None if value is None else json.dumps(value) for value in found]
    return found


def to_objects(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, str]) -> list[Any]:
    """Return the objects of a table.

    Args:
        columns: The columns; at least positions. None is a missing value.
        kinds: `json` for those that hold JSON text.

    Raises:
        FormatError: A position column is missing, or JSON text is damaged.
    """
    lacking = [name for name in ("z_um", "y_um", "x_um") if name not in columns]
    if lacking:
        raise FormatError(
            f"the table lacks {', '.join(lacking)}; got {', '.join(columns) or 'nothing'}; "
            "expected z_um,y_um,x_um in micrometres and, as there are, id, shape, points, class, "
            "status, comment and properties"
        )
    properties = [name for name in columns if name not in FIXED]
    rows = len(columns["z_um"])
    objects = []
    for row in range(rows):
        item: dict[str, Any] = {"properties": {}}
        for name in ("id", "shape", "class", "status", "comment"):
            value = columns[name][row] if name in columns else None
            if value is not None and value != "":
                item[name] = value
        points = columns["points"][row] if "points" in columns else None
        item["points"] = (
            _parse(points, "points", row)
            if points
            else [[columns[axis][row] for axis in ("z_um", "y_um", "x_um")]]
        )
        for name in properties:
            value = columns[name][row]
            if value is not None:
                as_json = kinds.get(name) == "json"
                item["properties"][name] = _parse(value, name, row) if as_json else value
        objects.append(item)
    return objects


def _parse(text: str, name: str, row: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FormatError(f"column {name!r} holds {text[:40]!r} in row {row}, no JSON") from error


def _centre(item: Mapping[str, Any], axis: int) -> float:
    values = [point[axis] for point in item["points"]]
    return float((min(values) + max(values)) / 2)


_FIXED_VALUES: dict[str, Any] = {
    "z_um": lambda item: _centre(item, 0),
    "y_um": lambda item: _centre(item, 1),
    "x_um": lambda item: _centre(item, 2),
    "id": lambda item: item["id"],
    "shape": lambda item: item["shape"],
    "points": lambda item: None if item["shape"] == "point" else json.dumps(item["points"]),
    "class": lambda item: item["class"],
    "status": lambda item: item["status"],
    "comment": lambda item: item["comment"],
}
