"""Tables as pages show them: what each column holds, and the rows of a box."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BoxError, CallError
from gateway.service.gateway import Gateway
from gateway.volumes.open import open_ref
from gateway.volumes.points import BoxUm, PointsTable
from gateway.volumes.ref import Ref

MOST_ROWS = 10_000
"""Rows of one answer at most."""
_SAMPLE = 300_000
"""Rows that histograms are made of in a longer table."""
_BINS = 32
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MOST_VALUES = 12
"""A column of no more different texts or classes is counted value by value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often which values occur; between percentiles 0.5 and 99.5 where tails are long."""

    edges: tuple[float, ...]
    """One more than counts."""
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column of a table holds."""

    name: str
    dtype: str
    missing: int
    """Values that are not a number, of those looked at."""
    lowest: float | None = None
    highest: float | None = None
    mean: float | None = None
    quantiles: dict[str, float] | None = None
    """Share to value: `0.5` is the median."""
    histogram: Histogram | None = None
    values: dict[str, int] | None = None
    """Of a column of texts or of few classes: how often each occurs, the most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """What a table holds."""

    ref: str
    count: int
    """Rows."""
    looked_at: int
    """Rows that the figures of the columns were made of: fewer in a long table."""
    bounds_um: BoxUm | None
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a table, in its spatial order."""

    ref: str
    total: int
    """Rows of the box, or of the table."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    """At most as many as were asked for; None where a value is not a number."""


def open_table(gateway: Gateway, ref: Ref) -> PointsTable:
    """Open a table.

    Raises:
        NotFoundError: Nothing has that name.
        CallError: It is no table.
        FormatError: The file is broken.
    """
    thing = open_ref(gateway.store, ref)
    if not isinstance(thing, PointsTable):
        raise CallError(f"{ref} is a {type(thing).__name__}, which has no columns; name a table")
    return thing


def summarize_table(gateway: Gateway, ref: Ref) -> TableSummary:
    """Return what each column of a table holds.

    Raises:
        NotFoundError: Nothing has that name.
        CallError: It is no table.
        FormatError: The file is broken.
    """
    return _summary(_Known(open_table(gateway, ref), str(ref)))


def read_rows(
    gateway: Gateway,
    ref: Ref,
    *,
    box_um: BoxUm | None = None,
    columns: Sequence[str] | None = None,
    limit: int = 100,
) -> Rows:
    """Return the first rows of a table, or those of a box.

    Args:
        gateway: The gateway.
        ref: The table.
        box_um: Half-open box in micrometres, zyx.
        columns: The columns wanted; None means all.
        limit: Rows at most.

    Raises:
        NotFoundError: There is no such table or column.
        CallError: It is no table, or more rows are asked for than one answer holds.
        FormatError: The file is broken.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise CallError(f"{limit} rows cannot be had at once; ask for 1 to {MOST_ROWS:,}")
    table = open_table(gateway, ref)
    wanted = tuple(columns) if columns else table.columns
    if box_um is None:
        found, total = table.head(limit, wanted), table.count
    else:
        found = table.read(box_um, wanted)
        total = len(found[wanted[0]])
    cells = [_plain(found[name][:limit]) for name in wanted]
    rows = tuple(zip(*cells, strict=True))
    return Rows(ref=str(ref), total=total, columns=wanted, rows=rows)


def parse_box_um(text: str) -> BoxUm:
    """Parse `z0,y0,x0,z1,y1,x1`, a half-open box in micrometres.

    Raises:
        BoxError: It is not six numbers, or it stops before it starts.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not np.isfinite(numbers).all():  # noqa: PLR2004 - two corners
        raise BoxError(
            f"the box {text[:80]!r} is none; expected z0,y0,x0,z1,y1,x1 in micrometres, "
            "such as 0,0,0,100,500,500"
        )
    start, stop = numbers[:3], numbers[3:]
    if any(a >= b for a, b in zip(start, stop, strict=True)):
        raise BoxError(f"the box {text[:80]!r} stops before it starts; give the lower corner first")
    return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])


@dataclass(frozen=True, slots=True)
class _Known:
    """A table as the cache of summaries knows it: the same content is the same table."""

    table: PointsTable
    ref: str

    def _key(self) -> tuple[Any, ...]:
        table = self.table
        return (self.ref, table.store.url, table.digest, table.made_by, table.count, table.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@lru_cache(maxsize=64)
def _summary(known: _Known) -> TableSummary:
    table = known.table
    every = max(1, -(-table.count // _SAMPLE))
    pieces = list(table.pieces(table.columns, every=every))
    columns = {
        name: np.concatenate([piece[name] for piece in pieces]) if pieces else np.empty(0)
        for name in table.columns
    }
    return TableSummary(
        ref=known.ref,
        count=table.count,
        looked_at=len(columns[table.columns[0]]),
        bounds_um=table.bounds_um,
        columns=tuple(_column(name, values) for name, values in columns.items()),
    )


def _column(name: str, values: NDArray[Any]) -> Column:
    if values.dtype.kind not in "iuf":
        return Column(name=name, dtype=_type(values), missing=0, values=_counted(values))
    finite = values[np.isfinite(values)].astype(np.float64)
    missing = len(values) - len(finite)
    if not len(finite):
        return Column(name=name, dtype=_type(values), missing=missing)
    quantiles = np.quantile(finite, _SHARES)
    return Column(
        name=name,
        dtype=_type(values),
        missing=missing,
        lowest=float(finite.min()),
        highest=float(finite.max()),
        mean=float(finite.mean()),
        quantiles={f"{share:g}": float(q) for share, q in zip(_SHARES, quantiles, strict=True)},
        histogram=_histogram(finite, whole=values.dtype.kind in "iu"),
    )


def _type(values: NDArray[Any]) -> str:
    return "text" if values.dtype.kind in "UO" else str(values.dtype)


def _counted(values: NDArray[Any]) -> dict[str, int]:
    kinds, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    return {str(kinds[i]): int(counts[i]) for i in order}


def _histogram(finite: NDArray[np.float64], *, whole: bool) -> Histogram:
    low, high = (float(value) for value in np.percentile(finite, (0.5, 99.5)))
    if whole and high - low < _BINS:  # a bar for each number
        low, high = np.floor(low) - 0.5, np.ceil(high) + 0.5
        bins = int(high - low)
    else:
        bins = _BINS
        if low == high:
            low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(finite, bins, (low, high))
    return Histogram(edges=tuple(map(float, edges)), counts=tuple(map(int, counts)))


def _plain(column: NDArray[Any]) -> Sequence[Any]:
    """Return values as JSON has them: what is not a number is None."""
    values: list[Any] = column.tolist()
    if column.dtype.kind == "f":
        return [value if np.isfinite(value) else None for value in values]
    return values
