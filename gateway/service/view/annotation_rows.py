"""Rows of a points table as precomputed annotations: records of position and properties."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from gateway.service.view.annotation_grid import Grid, lots
from gateway.volumes.arrow_values import values_of
from gateway.volumes.columns import POSITION
from gateway.volumes.points import PointsTable

_ODD = re.compile(r"[^a-zA-Z0-9_]+")
_MOST_PROPERTIES = 32
_MOST_WORDS = 255
_INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
_AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Property:
    """One column as the viewer knows it."""

    id: str
    column: str
    type: str
    words: tuple[str, ...] = ()
    """What the numbers of a column of text mean."""

    def to_json(self) -> dict[str, Any]:
        """Return the property as the `info` file says it."""
        said: dict[str, Any] = {"id": self.id, "type": self.type, "description": self.column}
        if self.words:
            said["enum_values"] = list(range(len(self.words)))
            said["enum_labels"] = list(self.words)
        return said


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table, ready to be sent."""

    records: NDArray[np.void]
    numbers: NDArray[np.uint64]
    """Row numbers in the file, which are the ids of the annotations."""
    lots: NDArray[np.float64]
    cells: NDArray[np.uint16]

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        parts = (self.records, self.numbers, self.lots, self.cells)
        return sum(part.nbytes for part in parts)

    def take(self, which: NDArray[Any] | slice) -> "Rows":
        """Return the rows of an index or mask."""
        return Rows(self.records[which], self.numbers[which], self.lots[which], self.cells[which])


def record_dtype(properties: Iterable[Property]) -> np.dtype[np.void]:
    """Return the layout of one annotation: position, properties, padding to four bytes."""
    fields: list[Any] = [(axis, "<f4") for axis in _AXES]
    fields += [(prop.id, np.dtype(prop.type).newbyteorder("<")) for prop in properties]
    size = np.dtype(fields).itemsize
    if size % 4:
        fields.append(("padding", "u1", (4 - size % 4,)))
    return np.dtype(fields)


def table_properties(
    table: PointsTable, words: Mapping[str, tuple[str, ...]]
) -> tuple[Property, ...]:
    """Return the columns that the viewer can be given, wide ones first as their layout asks.

    Args:
        table: The table.
        words: What columns of text say; those with too many words are not in it.
    """
    found: list[Property] = []
    used: set[str] = {*_AXES, "padding"}
    for field in table.schema:
        kind = "uint8" if field.name in words else _number_type(table, field)
        if field.name in POSITION or kind is None:
            continue
        name = _property_id(field.name, used)
        used.add(name)
        found.append(Property(name, field.name, kind, words.get(field.name, ())))
    found = found[:_MOST_PROPERTIES]
    return tuple(sorted(found, key=lambda prop: -np.dtype(prop.type).itemsize))


def text_columns(table: PointsTable) -> list[str]:
    """Name the columns of text."""
    return [
        field.name
        for field in table.schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]


def encode(
    piece: Any,
    start: NDArray[np.uint64],
    grid: Grid,
    properties: tuple[Property, ...],
    below: float = 1.0,
) -> Rows:
    """Turn a piece of a table into annotations.

    Args:
        piece: An Arrow table.
        start: The row number of each of its rows in the file.
        grid: Where the cells lie.
        properties: The columns to send.
        below: Only the rows whose lot is less.
    """
    drawn = lots(start)
    kept: Any = slice(None) if below >= 1.0 else np.flatnonzero(drawn < below)
    positions = np.stack(
        [values_of(piece.column(f"{axis}_um"))[kept] for axis in _AXES], axis=1
    ).astype(np.float64, copy=False)
    records = np.zeros(len(positions), record_dtype(properties))
    for number, axis in enumerate(_AXES):
        records[axis] = positions[:, number]
    for prop in properties:
        records[prop.id] = _values(piece.column(prop.column), prop)[kept]
    return Rows(records, start[kept], drawn[kept], grid.cells(positions))


def to_bytes(rows: Rows) -> bytes:
    """Return rows as the body of a cell: count, records, ids, in the order of their lots."""
    order = np.argsort(rows.lots, kind="stable")
    count = np.uint64(len(order)).astype("<u8").tobytes()
    return b"".join(
        [count, rows.records[order].tobytes(), rows.numbers[order].astype("<u8").tobytes()]
    )


def few_words(column: Any, known: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the words of a column of text with those known before; None where they are many."""
    unique = column.unique().to_pylist()
    words = {*known, *(word for word in unique if word is not None)}
    return tuple(sorted(words)) if len(words) <= _MOST_WORDS else None


def _values(column: Any, prop: Property) -> NDArray[Any]:
    if prop.words:
        numbers = pyarrow.compute.index_in(column, value_set=pa.array(prop.words, column.type))
        return values_of(numbers.fill_null(0))
    values = values_of(column)
    if values.dtype.kind == "f" and prop.type != "float32":
        values = np.nan_to_num(values)  # a column with nulls
    result: NDArray[Any] = np.asarray(values)
    return result


def _number_type(table: PointsTable, field: Any) -> str | None:
    """Return the property type of a column; 64-bit integers are narrowed where they fit."""
    if pa.types.is_boolean(field.type):
        return "uint8"
    if pa.types.is_floating(field.type):
        return "float32"
    if not pa.types.is_integer(field.type):
        return None
    name = str(field.type)
    if name in _INTEGERS:
        return name
    limits = table.column_range(field.name)
    for narrow in ("uint32", "int32"):
        bounds = np.iinfo(narrow)
        if limits is not None and bounds.min <= limits[0] and limits[1] <= bounds.max:
            return narrow
    return "float32"


def _property_id(column: str, used: set[str]) -> str:
    """Make an id that starts with a small letter and holds letters, digits and `_`."""
    name = _ODD.sub("_", column).strip("_") or "column"
    name = name[0].lower() + name[1:] if name[0].isalpha() else f"p_{name}"
    number, unique = 2, name
    while unique in used:
        unique, number = f"{name}_{number}", number + 1
    return unique
