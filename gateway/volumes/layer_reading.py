"""Reads the objects of an annotation layer from JSON, CSV, HDF5 or Parquet."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.errors import FormatError, GatewayError
from gateway.volumes.layer_columns import FIXED, to_objects
from gateway.volumes.layer_writing import LayerFormat

_METADATA = "gateway-layer"
_DAMAGE = (OSError, ValueError, TypeError, KeyError, AttributeError, pa.ArrowException)
Read = tuple[dict[str, Any], list[dict[str, Any]]]


def read_layer(path: Path, form: LayerFormat) -> Read:
    """Read a file of objects.

    Returns:
        What the file says of the layer (nothing in a CSV), and the objects as the API tells them;
        fields that are missing are left out.

    Raises:
        FormatError: It is not of that format, or has no positions.
    """
    try:
        return _READERS[form](path)
    except GatewayError:
        raise
    except _DAMAGE as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise FormatError(
            f"the file cannot be read as {form}: {reason}; expected a layer that was exported, or "
            "a table with z_um,y_um,x_um in micrometres"
        ) from error


def _read_json(path: Path) -> Read:
    told = json.loads(path.read_text(encoding="utf-8"))
    items = told["objects"] if isinstance(told, dict) else told
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FormatError('the file has no list of objects; expected {"objects": [{"points": …}]}')
    about = told.get("layer", {}) if isinstance(told, dict) else {}
    return (about if isinstance(about, dict) else {}), items


def _read_csv(path: Path) -> Read:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise FormatError("the file is empty; expected a header with z_um,y_um,x_um")
    header, body = rows[0], [row for row in rows[1:] if row]
    for number, row in enumerate(body):
        if len(row) != len(header):
            raise FormatError(
                f"row {number + 1} has {len(row)} cells; expected {len(header)}, as the header has"
            )
    columns = {
        name: [_value(name, row[place], number) for number, row in enumerate(body)]
        for place, name in enumerate(header)
    }
    return {}, to_objects(columns, {})


def _value(name: str, cell: str, row: int) -> Any:
    kind = FIXED.get(name)
    if kind == "text" or (cell == "" and kind is None):
        return cell or None
    if kind is None:
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    if cell == "" and kind == "int":
        return None
    try:
        return int(cell) if kind == "int" else float(cell)
    except ValueError as error:
        raise FormatError(
            f"column {name} holds {cell[:40]!r} in row {row + 1}; expected a number"
        ) from error


def _read_parquet(path: Path) -> Read:
    table = pq.read_table(path)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    kinds = {
        field.name: (field.metadata or {}).get(b"kind", b"").decode() for field in table.schema
    }
    note = (table.schema.metadata or {}).get(_METADATA.encode(), b"{}")
    return json.loads(note), to_objects(columns, kinds)


def _read_hdf5(path: Path) -> Read:
    columns: dict[str, Sequence[Any]] = {}
    kinds: dict[str, str] = {}
    with h5py.File(path, "r") as file:
        about = json.loads(file.attrs.get(_METADATA, "{}"))
        tables = [each for each in file.values() if isinstance(each, h5py.Dataset)]
        for table in sorted(tables, key=lambda each: int(each.attrs.get("position", 0))):
            name = str(table.attrs.get("name", table.name.rpartition("/")[2]))
            text = h5py.check_string_dtype(table.dtype) is not None
            values = (table.asstr()[...] if text else table[...]).tolist()
            kinds[name] = str(table.attrs.get("kind", ""))
            if kinds[name] == "json":
                values = [None if value == "" else value for value in values]
            if name in FIXED and kinds[name] == "json":
                values = [None if value is None else json.loads(value) for value in values]
            columns[name] = values
    return about, to_objects(columns, kinds)


_READERS: dict[str, Callable[[Path], Read]] = {
    "json": _read_json,
    "csv": _read_csv,
    "hdf5": _read_hdf5,
    "parquet": _read_parquet,
}
