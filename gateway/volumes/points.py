"""Points tables: Parquet in spatial order, so that a box query reads only the rows around it."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gateway.errors import FormatError, GatewayError, NotFoundError
from gateway.volumes.arrow_values import values_of
from gateway.volumes.box import Vector
from gateway.volumes.columns import POSITION, canonical_order, check_columns
from gateway.volumes.digest import columns_digest
from gateway.volumes.store import Store

BoxUm = tuple[Vector, Vector]
"""A half-open box in micrometres: `start <= position < stop`, each zyx."""

_ROWS_PER_GROUP = 16_384
_METADATA = b"gateway"
_BITS = 21
"""Morton bits per axis: three of them fill 63 bits."""


@dataclass(frozen=True, slots=True)
class PointsTable:
    """A points table of a store; rows are read on request."""

    store: Store = field(repr=False)
    key: str
    count: int
    columns: tuple[str, ...]
    digest: str | None
    """`blake3:…` over the rows in canonical order; None in a file of another program."""
    made_by: str | None
    """Id of the run that made it."""
    attributes: dict[str, Any]
    _metadata: Any = field(repr=False, compare=False)
    _lowest: NDArray[np.float64] = field(repr=False, compare=False)
    _highest: NDArray[np.float64] = field(repr=False, compare=False)

    @property
    def bounds_um(self) -> BoxUm | None:
        """The lowest and highest position per axis, both included; None in an empty table."""
        if self.count == 0:
            return None
        return _vector(self._lowest.min(axis=0)), _vector(self._highest.max(axis=0))

    def read(
        self, box_um: BoxUm | None = None, columns: Sequence[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Read the rows of a box.

        Args:
            box_um: Half-open box in micrometres, zyx; None reads all rows.
            columns: The columns wanted; None reads all.

        Returns:
            Column name to array, in the order asked for; rows in the file's spatial order.

        Raises:
            NotFoundError: The table has no such column.
            FormatError: The file is broken.
        """
        wanted = self.columns if columns is None else tuple(columns)
        self._check_names(wanted)
        read = wanted if box_um is None else tuple(dict.fromkeys((*POSITION, *wanted)))
        groups = list(range(len(self._lowest))) if box_um is None else self.groups_in(box_um)
        table = self.read_groups(groups, read)
        if box_um is None:
            return {name: _to_array(table.column(name)) for name in wanted}
        inside = np.ones(table.num_rows, bool)
        for name, start, stop in zip(POSITION, *box_um, strict=True):
            position = _to_array(table.column(name))
            inside &= (position >= start) & (position < stop)
        return {name: _to_array(table.column(name))[inside] for name in wanted}

    def pieces(
        self, columns: Sequence[str], *, every: int = 1, rows: int = 1_000_000
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield columns piece by piece, so that a table of any length fits in memory.

        Args:
            columns: The columns wanted, all of this table.
            every: Read one of so many row groups: a sample from all over the table.
            rows: About how many rows a piece has.

        Raises:
            FormatError: The file is broken.
        """
        groups = list(range(0, len(self._lowest), every))
        share = max(1, rows // max(1, self.count // max(1, len(self._lowest))))
        for start in range(0, len(groups), share):
            table = self.read_groups(groups[start : start + share], tuple(columns))
            yield {name: _to_array(table.column(name)) for name in columns}

    def head(self, rows: int, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Read the first rows, in the file's spatial order.

        Raises:
            NotFoundError: The table has no such column.
            FormatError: The file is broken.
        """
        self._check_names(columns)
        ends = list(accumulate(self.group_rows))
        needed = next((i + 1 for i, end in enumerate(ends) if end >= rows), len(ends))
        table = self.read_groups(range(needed), columns)
        return {name: _to_array(table.column(name))[:rows] for name in columns}

    def _check_names(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in self.columns]
        if unknown:
            raise NotFoundError(
                f"no column {unknown[0]!r} in {self.key}; there is {', '.join(self.columns)}"
            )

    @property
    def group_rows(self) -> list[int]:
        """Rows of each row group, in the order of the file."""
        return [self._metadata.row_group(i).num_rows for i in range(self._metadata.num_row_groups)]

    @property
    def schema(self) -> Any:
        """The Arrow schema of the columns."""
        return self._metadata.schema.to_arrow_schema()

    def column_range(self, name: str) -> tuple[Any, Any] | None:
        """Return the lowest and highest value of a column, where the file says it."""
        number = self.columns.index(name)
        groups = (self._metadata.row_group(i) for i in range(self._metadata.num_row_groups))
        told = [group.column(number).statistics for group in groups]
        if not told or any(one is None or not one.has_min_max for one in told):
            return None
        return min(one.min for one in told), max(one.max for one in told)

    def groups_in(self, box_um: BoxUm) -> list[int]:
        """Find the row groups that may hold a row of the box."""
        start, stop = np.asarray(box_um[0]), np.asarray(box_um[1])
        meets = (self._highest >= start) & (self._lowest < stop)
        return [int(group) for group in np.flatnonzero(meets.all(axis=1))]

    def read_groups(self, groups: Sequence[int], columns: Sequence[str]) -> pa.Table:
        """Read row groups as an Arrow table.

        Raises:
            FormatError: The file is broken.
            StoreError: The storage failed.
        """
        try:
            with self.store.open(self.key) as stream:
                source = pa.PythonFile(stream, mode="r")
                file = pq.ParquetFile(
                    source,
                    metadata=self._metadata,
                    pre_buffer=True,
                    page_checksum_verification=True,
                )
                return file.read_row_groups(list(groups), columns=list(columns), use_threads=False)
        except GatewayError:
            raise
        except _DAMAGE as error:
            raise _broken(self.store, self.key, error) from error


def write_points(
    store: Store,
    key: str,
    columns: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any] | None = None,
    made_by: str | None = None,
) -> str:
    """Write a points table, replacing what `key` holds.

    Args:
        store: Where to write.
        key: The file, `….points.parquet`.
        columns: One-dimensional arrays; `z_um,y_um,x_um` in micrometres are required.
        attributes: Anything JSON can keep.
        made_by: Id of the run that made the table.

    Returns:
        The digest of the rows.

    Raises:
        FormatError: The columns are no points table.
        StoreError: The storage failed.
    """
    checked = check_columns(columns)
    order = canonical_order(checked)
    digest = columns_digest(checked, order)
    positions = np.stack([checked[name][order] for name in POSITION], axis=1)
    order = order[np.argsort(_morton(positions), kind="stable")]
    note = {"digest": digest, "made_by": made_by, "attributes": dict(attributes or {})}
    table = pa.table({name: _to_arrow(column[order]) for name, column in checked.items()})
    table = table.replace_schema_metadata({_METADATA: json.dumps(note, allow_nan=False)})
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        row_group_size=_ROWS_PER_GROUP,
        compression="zstd",
        write_statistics=True,
        write_page_checksum=True,
        use_dictionary=[name for name, column in checked.items() if column.dtype.kind == "U"],
    )
    store.put(key, buffer.getvalue())
    return digest


def open_points(store: Store, key: str) -> PointsTable:
    """Open a points table; reads the file's footer only.

    Raises:
        NotFoundError: There is no such file.
        FormatError: The file is not Parquet or lacks `z_um,y_um,x_um`.
    """
    try:
        with store.open(key) as stream:
            metadata = _read_footer(stream)
        names = tuple(metadata.schema.to_arrow_schema().names)
        note = dict(json.loads((metadata.metadata or {}).get(_METADATA, b"{}")))
    except GatewayError:
        raise
    except _DAMAGE as error:
        raise _broken(store, key, error) from error
    if not set(POSITION) <= set(names):
        raise FormatError(
            f"{key} in {store.url} has the columns {', '.join(names)}; "
            "expected z_um,y_um,x_um among them"
        )
    lowest, highest = _group_bounds(metadata, names)
    return PointsTable(
        store=store,
        key=key,
        count=metadata.num_rows,
        columns=names,
        digest=note.get("digest"),
        made_by=note.get("made_by"),
        attributes=note.get("attributes", {}),
        _metadata=metadata,
        _lowest=lowest,
        _highest=highest,
    )


_DAMAGE = (pa.ArrowException, EOFError, OSError, ValueError, TypeError)
"""What Arrow and JSON raise on a damaged file; failures of the store itself are a `StoreError`."""


def _read_footer(stream: BinaryIO) -> Any:
    return pq.ParquetFile(pa.PythonFile(stream, mode="r")).metadata


def _group_bounds(
    metadata: Any, names: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest position of each row group; unbounded where not written."""
    lowest = np.full((metadata.num_row_groups, 3), -np.inf)
    highest = np.full((metadata.num_row_groups, 3), np.inf)
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        for axis, name in enumerate(POSITION):
            statistics = columns.column(names.index(name)).statistics
            if statistics is not None and statistics.has_min_max:
                lowest[group, axis], highest[group, axis] = statistics.min, statistics.max
    return lowest, highest


def _morton(positions: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Interleave the bits of positions scaled by the longest side: near rows get near codes."""
    if len(positions) == 0:
        return np.zeros(0, np.uint64)
    lowest = positions.min(axis=0)
    side = float((positions.max(axis=0) - lowest).max()) or 1.0
    top = 2**_BITS - 1
    code = np.zeros(len(positions), np.uint64)
    for axis in range(3):
        scaled = (positions[:, axis] - lowest[axis]) / side * top
        code |= _spread(scaled.astype(np.uint64)) << np.uint64(2 - axis)
    return code


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Move bit i to bit 3 i."""
    for shift, mask in (
        (32, 0x1F00000000FFFF),
        (16, 0x1F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values


def _to_arrow(column: NDArray[Any]) -> Any:
    """Wrap a column as Arrow does; `pa.array` would import pandas first, for half a second."""
    count = len(column)
    if column.dtype.kind == "U":
        texts = [text.encode() for text in column.tolist()]
        ends = np.cumsum([0, *map(len, texts)])
        if ends[-1] < np.iinfo(np.int32).max:
            offsets = pa.py_buffer(ends.astype(np.int32))
            return pa.Array.from_buffers(
                pa.string(), count, [None, offsets, pa.py_buffer(b"".join(texts))]
            )
        return pa.array(column)
    if column.dtype.kind == "b":
        bits = pa.py_buffer(np.packbits(column, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), count, [None, bits])
    native = np.ascontiguousarray(column, column.dtype.newbyteorder("="))
    kind = pa.from_numpy_dtype(native.dtype)
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(native)])


def _to_array(column: pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.asarray(column.to_pylist(), dtype=np.str_)
    return values_of(column)


def _vector(values: NDArray[np.float64]) -> Vector:
    z, y, x = (float(value) for value in values)
    return (z, y, x)


def _broken(store: Store, key: str, error: Exception) -> FormatError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return FormatError(
        f"{key} in {store.url} cannot be read as a points table: {reason}; "
        "expected a whole Parquet file: write it again or restore it"
    )
