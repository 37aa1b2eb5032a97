"""Writes the objects of an annotation layer as JSON, CSV, HDF5 or Parquet, piece by piece."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.volumes.layer_columns import Column, infer_columns, to_values

LayerFormat = Literal["json", "csv", "hdf5", "parquet"]
Objects = Callable[[], Iterable[Mapping[str, Any]]]
"""Gives all objects each time it is called: types are looked at before values are written."""

_PIECE = 20_000
_METADATA = b"gateway-layer"
_ARROW: dict[str, Any] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "json": pa.string(),
}
_NUMPY: dict[str, Any] = {"bool": np.bool_, "int": np.int64, "float": np.float64}


def write_layer(path: Path, form: LayerFormat, objects: Objects, about: Mapping[str, Any]) -> None:
    """Write a layer into a file.

    Args:
        path: The file.
        form: Its format.
        objects: The objects as the API tells them.
        about: What the file says of the layer: name, volume, classes, version.
    """
    _WRITERS[form](path, objects, about)


def _write_json(path: Path, objects: Objects, about: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"layer": {json.dumps(about, ensure_ascii=False)},\n"objects": [')
        for number, item in enumerate(objects()):
            kept = {name: value for name, value in item.items() if name != "version"}
            file.write(",\n" if number else "\n")
            file.write(json.dumps(kept, ensure_ascii=False, allow_nan=False))
        file.write("\n]}\n")


def _write_csv(path: Path, objects: Objects, about: Mapping[str, Any]) -> None:
    del about
    columns = infer_columns(objects())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in columns])
        for piece in _cut(objects()):
            values = [_to_cells(to_values(piece, column), column) for column in columns]
            writer.writerows(zip(*values, strict=True))


def _to_cells(values: Sequence[Any], column: Column) -> list[str]:
    """Return cells that read as JSON, or else as the text they are; empty where missing."""
    if column.kind == "json" or column.name in ("points", "shape", "class", "status", "comment"):
        return ["" if value is None else str(value) for value in values]
    return ["" if value is None else _cell(value) for value in values]


def _cell(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError:
        return value or '""'
    return json.dumps(value, ensure_ascii=False)


def _write_parquet(path: Path, objects: Objects, about: Mapping[str, Any]) -> None:
    columns = infer_columns(objects())
    fields = [
        pa.field(column.name, _ARROW[column.kind], metadata={"kind": column.kind})
        for column in columns
    ]
    note = json.dumps(about, ensure_ascii=False).encode()
    schema = pa.schema(fields, metadata={_METADATA: note})
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for piece in _cut(objects()):
            arrays = [pa.array(to_values(piece, column), _ARROW[column.kind]) for column in columns]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _write_hdf5(path: Path, objects: Objects, about: Mapping[str, Any]) -> None:
    columns = infer_columns(objects())
    with h5py.File(path, "w") as file:
        file.attrs[_METADATA.decode()] = json.dumps(about, ensure_ascii=False)
        file.attrs["columns"] = [column.name for column in columns]
        tables = {}
        for number, column in enumerate(columns):
            native = _NUMPY.get(column.kind) if not column.missing else None
            # a property may have any name, also one that HDF5 takes for a path
            table = file.create_dataset(
                f"c{number:04d}" if "/" in column.name or column.name == "." else column.name,
                shape=(0,),
                maxshape=(None,),
                chunks=(_PIECE,),
                dtype=native or h5py.string_dtype(),
                compression="gzip",
                compression_opts=1,
            )
            table.attrs["name"] = column.name
            table.attrs["position"] = number
            table.attrs["kind"] = column.kind if native or not column.missing else "json"
            tables[column.name] = table
        for piece in _cut(objects()):
            for column in columns:
                _append(tables[column.name], to_values(piece, column), column)


def _append(table: Any, values: list[Any], column: Column) -> None:
    if column.missing and column.kind != "json":
        values = ["" if value is None else json.dumps(value) for value in values]
    elif column.kind in ("text", "json"):
        values = ["" if value is None else value for value in values]
    start = len(table)
    table.resize((start + len(values),))
    table[start:] = np.asarray(values, dtype=table.dtype if column.kind in _NUMPY else object)


def _cut(objects: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    source = iter(objects)
    while piece := list(islice(source, _PIECE)):
        yield piece


_WRITERS: dict[str, Callable[[Path, Objects, Mapping[str, Any]], None]] = {
    "json": _write_json,
    "csv": _write_csv,
    "hdf5": _write_hdf5,
    "parquet": _write_parquet,
}
