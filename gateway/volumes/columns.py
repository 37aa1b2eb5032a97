"""Tables as named columns: checked, put in canonical order, and digested."""

import json
from collections.abc import Mapping
from typing import Any

import blake3
import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError

POSITION = ("z_um", "y_um", "x_um")
"""The columns that every points table starts with."""

_KINDS = "biufU"
_LONGEST_NAME = 200
_WIDEST = 8
"""Bytes of the widest float that Parquet has."""


def check_columns(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the columns with positions first as float64, all one-dimensional and equally long.

    Raises:
        FormatError: A position column is missing, a position is not finite, or the columns
            differ in length, rank or have a type that no table can keep.
    """
    missing = [name for name in POSITION if name not in columns]
    if missing:
        raise FormatError(
            f"a points table lacks {', '.join(missing)}; got {', '.join(columns) or 'nothing'}; "
            "expected z_um,y_um,x_um in micrometres"
        )
    checked = {name: np.asarray(columns[name], np.float64) for name in POSITION}
    checked |= {n: np.asarray(c) for n, c in columns.items() if n not in POSITION}
    rows = len(checked["z_um"])
    for name, column in checked.items():
        _check_column(name, column, rows)
    for name in POSITION:
        bad = np.flatnonzero(~np.isfinite(checked[name]))
        if bad.size:
            raise FormatError(
                f"column {name} has {bad.size} positions that are not finite, the first in row "
                f"{bad[0]} ({checked[name][bad[0]]}); drop those rows or give them a position"
            )
    return checked


def canonical_order(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.intp]:
    """Return the row order that depends on content alone: by position, then by every column."""
    keys = [_normal(columns[name]) for name in _canonical_names(columns)]
    order = np.lexsort(tuple(reversed(keys[: len(POSITION)])))
    if len(keys) > len(POSITION) and _has_ties(keys[: len(POSITION)], order):
        order = np.lexsort(tuple(reversed(keys)))
    return order


def columns_digest(
    columns: Mapping[str, NDArray[Any]], order: NDArray[np.intp] | None = None
) -> str:
    """Digest a table: its names, types and rows, whatever the order of rows and columns.

    Args:
        columns: The table.
        order: Its `canonical_order`, where the caller has it already.

    Returns:
        `blake3:` and 64 hexadecimal digits.

    Raises:
        FormatError: The columns are no points table.
    """
    checked = check_columns(columns)
    order = canonical_order(checked) if order is None else order
    names = _canonical_names(checked)
    head = {"rows": len(order), "columns": [[name, _type_name(checked[name])] for name in names]}
    digest = blake3.blake3(json.dumps(head, separators=(",", ":")).encode())
    for name in names:
        digest.update(_column_bytes(_normal(checked[name])[order]))
    return f"blake3:{digest.hexdigest()}"


def _check_column(name: str, column: NDArray[Any], rows: int) -> None:
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise FormatError(f"column name {name[:40]!r} is not allowed; expected printable text")
    if column.ndim != 1 or len(column) != rows:
        raise FormatError(
            f"column {name!r} has shape {column.shape}; expected ({rows},), as z_um has"
        )
    too_wide = column.dtype.kind == "f" and column.dtype.itemsize > _WIDEST
    if column.dtype.kind not in _KINDS or too_wide:
        raise FormatError(
            f"column {name!r} is of type {column.dtype}; expected integers, floats, bool or text"
        )


def _canonical_names(columns: Mapping[str, NDArray[Any]]) -> list[str]:
    first = [name for name in POSITION if name in columns]
    return first + sorted(name for name in columns if name not in POSITION)


def _normal(column: NDArray[Any]) -> NDArray[Any]:
    """Make equal values equal bytes: one zero, one NaN, little endian."""
    if column.dtype.kind != "f":
        return column.astype(column.dtype.newbyteorder("<"), copy=False)
    normal = column.astype(column.dtype.newbyteorder("<")) + 0.0
    normal[np.isnan(normal)] = np.nan
    return normal


def _has_ties(keys: list[NDArray[Any]], order: NDArray[np.intp]) -> bool:
    same = np.ones(max(0, len(order) - 1), bool)
    for key in keys:
        ordered = key[order]
        same &= ordered[1:] == ordered[:-1]
    return bool(same.any())


def _type_name(column: NDArray[Any]) -> str:
    return "text" if column.dtype.kind == "U" else column.dtype.newbyteorder("<").name


def _column_bytes(column: NDArray[Any]) -> bytes:
    if column.dtype.kind != "U":
        return column.tobytes()
    return json.dumps(column.tolist(), ensure_ascii=False, separators=(",", ":")).encode()
