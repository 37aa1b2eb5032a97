"""Tables of points from other programs: CSV and tab-separated text."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from gateway.errors import ExistsError, FormatError
from gateway.records.recorder import record_entry
from gateway.service.gateway import Gateway
from gateway.volumes.columns import check_columns
from gateway.volumes.dataset import entry_key, find_entry
from gateway.volumes.digest import columns_digest
from gateway.volumes.points import open_points, write_points
from gateway.volumes.ref import Ref

_BETWEEN = {".csv": ",", ".tsv": "\t"}


def import_points(gateway: Gateway, file: Path, ref: Ref) -> str:
    """Put a table of points into the store; the same again finds it there.

    Args:
        gateway: The gateway.
        file: `.csv` or `.tsv`, with a line of names first; `z_um`, `y_um` and `x_um` are required.
        ref: The name to give it.

    Returns:
        The digest of its rows.

    Raises:
        FormatError: The file is no such table.
        ExistsError: The name is taken by something else.
    """
    columns = check_columns(_read(file))
    digest = columns_digest(columns)
    found = find_entry(gateway.store, ref)
    if found is None:
        write_points(gateway.store, entry_key(ref, "points"), columns)
        record_entry(gateway.store, gateway.catalogue, ref)
    elif found.kind != "points" or open_points(gateway.store, found.key).digest != digest:
        raise ExistsError(f"{ref} already exists ({found.key}); choose another name")
    return digest


def _read(file: Path) -> dict[str, NDArray[Any]]:
    between = _BETWEEN.get(file.suffix.lower())
    if between is None:
        raise FormatError(f"{file.name} is no table; expected one of {', '.join(_BETWEEN)}")
    try:
        table = pyarrow.csv.read_csv(
            file, parse_options=pyarrow.csv.ParseOptions(delimiter=between)
        )
    except (pa.ArrowException, OSError) as error:
        raise FormatError(
            f"{file.name} cannot be read as a table: {error}; expected a line of names, then as "
            "many values in every line"
        ) from error
    return {name: _array(table.column(name)) for name in table.column_names}


def _array(column: Any) -> NDArray[Any]:
    if pa.types.is_string(column.type) or pa.types.is_null(column.type):
        return np.asarray([value or "" for value in column.to_pylist()], dtype=str)
    found: NDArray[Any] = column.to_numpy()  # what is empty is NaN
    return found
