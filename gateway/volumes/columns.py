"""Tables as named columns: checked and put in canonical order."""

from collections.abc import Mapping
from typing import Any

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
    checked |= {n: _as_text(np.asarray(c)) for n, c in columns.items() if n not in POSITION}
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
    keys = [canonical_values(columns[name]) for name in canonical_names(columns)]
    if not keys:
        return np.empty(0, np.intp)
    order = np.lexsort(keys[: len(POSITION)][::-1])
    tied = _tied(keys[: len(POSITION)], order)
    if len(keys) > len(POSITION) and tied.any():
        rows = order[tied]
        order[tied] = rows[np.lexsort([key[rows] for key in keys[::-1]])]
    return order


def canonical_names(columns: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return the order of columns that depends on their names alone: positions first."""
    first = [name for name in POSITION if name in columns]
    return first + sorted(name for name in columns if name not in POSITION)


def canonical_values(column: NDArray[Any]) -> NDArray[Any]:
    """Make equal values equal bytes: one zero, one NaN, little endian, objects as text."""
    if column.dtype.kind == "O":
        return column.astype(np.str_)
    if column.dtype.kind != "f":
        return column.astype(column.dtype.newbyteorder("<"), copy=False)
    values: NDArray[Any] = column.astype(column.dtype.newbyteorder("<")) + column.dtype.type(0)
    values[np.isnan(values)] = np.nan
    return values


def _as_text(column: NDArray[Any]) -> NDArray[Any]:
    if column.dtype.kind == "O" and all(isinstance(value, str) for value in column):
        return column.astype(np.str_)
    return column


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


def _tied(keys: list[NDArray[Any]], order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which rows, in sorted order, have the same keys as one beside them."""
    same = np.ones(max(0, len(order) - 1), np.bool_)
    for key in keys:
        ordered = key[order]
        equal = ordered[1:] == ordered[:-1]
        if key.dtype.kind == "f":
            equal |= np.isnan(ordered[1:]) & np.isnan(ordered[:-1])
        same &= equal
    tied = np.zeros(len(order), np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    return tied
