"""Writing points tables: CSV, JSON, Parquet, HDF5 and tab-separated text."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from gateway.errors import FormatError
from gateway.volumes.points import PointsTable

TableWriter = Callable[[PointsTable, Path], None]
_JSON_ROWS = 10_000


def table_writer_for(path: Path) -> TableWriter:
    """Return what writes tables to files of this name.

    Raises:
        FormatError: Nothing does; lists the suffixes that are written.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise FormatError(f"no format writes points as {path.name!r}; use {', '.join(_WRITERS)}")
    return write


def _arrow(table: PointsTable) -> pa.Table:
    return pa.table({name: pa.array(column) for name, column in table.read().items()})


def _write_csv(table: PointsTable, path: Path) -> None:
    _write_text(table, path, ",")


def _write_tsv(table: PointsTable, path: Path) -> None:
    _write_text(table, path, "\t")


def _write_text(table: PointsTable, path: Path, between: str) -> None:
    import pyarrow.csv

    options = pyarrow.csv.WriteOptions(quoting_style="needed", delimiter=between)
    pyarrow.csv.write_csv(_arrow(table), path, options)


def _write_json(table: PointsTable, path: Path) -> None:
    """Write an array of one object per row, as spreadsheets and scripts read it."""
    rows = _arrow(table)
    with path.open("w", encoding="utf-8") as out:
        out.write("[")
        for start in range(0, rows.num_rows, _JSON_ROWS):
            piece = rows.slice(start, _JSON_ROWS).to_pylist()
            text = ",\n".join(json.dumps(finite_row(row), ensure_ascii=False) for row in piece)
            out.write((",\n" if start else "\n") + text)
        out.write("\n]\n")


def finite_row(row: Mapping[str, object]) -> dict[str, object]:
    """JSON has no NaN and no infinity: they become null."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}


def _write_parquet(table: PointsTable, path: Path) -> None:
    rows = _arrow(table).replace_schema_metadata(
        {"attributes": json.dumps(dict(table.attributes)), "digest": table.digest or ""}
    )
    pyarrow.parquet.write_table(rows, path, compression="zstd")


def _write_hdf5(table: PointsTable, path: Path) -> None:
    """Write one dataset per column; attributes and digest lie on the root group."""
    import h5py

    with h5py.File(path, "w") as file:
        for name, column in table.read().items():
            text = column.dtype.kind in "UO"
            file.create_dataset(name, data=column.astype(object) if text else column,
                                dtype=h5py.string_dtype() if text else None)  # fmt: skip
        file.attrs["attributes"] = json.dumps(dict(table.attributes))
        file.attrs["digest"] = table.digest or ""


_WRITERS: Mapping[str, TableWriter] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
    ".h5": _write_hdf5,
    ".tsv": _write_tsv,
}
