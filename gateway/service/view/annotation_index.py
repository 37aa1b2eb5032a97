"""The annotations of one points table: which are in a cell, and one by its id."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import NotFoundError
from gateway.service.view.annotation_grid import Cell, Grid, GridLevel, cell_codes, coarser
from gateway.service.view.annotation_rows import (
    Property,
    Rows,
    encode,
    few_words,
    table_properties,
    text_columns,
    to_bytes,
)
from gateway.service.view.kept import Kept
from gateway.volumes.columns import POSITION
from gateway.volumes.points import PointsTable

_SAMPLE_ROWS = 1_000_000
"""Rows held in memory: all of a small table; of a large one those that coarse levels show."""
_PASS_GROUPS = 32
"""Row groups read at once in the one pass over a table."""
_GROUPS_BYTES = 128_000_000
_groups: Kept[Rows] = Kept(_GROUPS_BYTES, lambda rows: rows.nbytes)


@dataclass(frozen=True, slots=True)
class SampleLevel:
    """The rows of the sample that a level shows, cell after cell."""

    rows: Rows
    codes: NDArray[np.uint64]
    """The cell of each row, ascending."""

    def cell(self, cell: Cell) -> Rows:
        """Return the rows of a cell."""
        code = cell_codes(np.asarray([cell], np.uint16))[0]
        start, stop = np.searchsorted(self.codes, [code, code + np.uint64(1)])
        return self.rows.take(slice(int(start), int(stop)))


@dataclass(frozen=True, slots=True)
class AnnotationIndex:
    """What is known of a table after one pass over it."""

    table: PointsTable
    grid: Grid
    levels: tuple[GridLevel, ...]
    properties: tuple[Property, ...]
    starts: NDArray[np.int64]
    """The row number at which each row group starts, and the count of rows."""
    samples: tuple[SampleLevel | None, ...]
    """By level; None where a level shows rows outside the sample."""
    version: tuple[object, ...]

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return 10_000 + sum(s.rows.nbytes + s.codes.nbytes for s in self.samples if s)

    def info(self) -> dict[str, Any]:
        """Return the `info` of the annotations."""
        low = self.grid.corner
        top = self.levels[0]
        high = low + self.grid.cell_size(top)
        return {
            "@type": "neuroglancer_annotations_v1",
            "dimensions": {axis: [1e-6, "m"] for axis in "xyz"},
            "lower_bound": low.tolist(),
            "upper_bound": high.tolist(),
            "annotation_type": "POINT",
            "properties": [prop.to_json() for prop in self.properties],
            "relationships": [],
            "by_id": {"key": "by_id"},
            "spatial": [
                {
                    "key": f"spatial{number}",
                    "grid_shape": list(level.shape),
                    "chunk_size": self.grid.cell_size(level).tolist(),
                    "limit": level.limit,
                }
                for number, level in enumerate(self.levels)
            ],
        }

    def cell(self, number: int, cell: Cell) -> bytes:
        """Return the annotations of a cell of a level.

        Raises:
            NotFoundError: The index has no such cell.
            FormatError: The file is broken.
            StoreError: The storage failed.
        """
        if not 0 <= number < len(self.levels) or not all(
            0 <= c < n for c, n in zip(cell, self.levels[number].shape, strict=True)
        ):
            raise NotFoundError(
                f"the points {self.table.key} have no cell {cell} of level {number}; "
                "see `spatial` of their info"
            )
        sample = self.samples[number]
        return to_bytes(self._read_cell(number, cell) if sample is None else sample.cell(cell))

    def one(self, number: int) -> bytes:
        """Return the annotation of an id.

        Raises:
            NotFoundError: There is none.
        """
        if not 0 <= number < self.table.count:
            raise NotFoundError(
                f"the points {self.table.key} have no row {number}; there are {self.table.count}"
            )
        group = int(np.searchsorted(self.starts, number, side="right")) - 1
        rows = self._group(group)
        return bytes(rows.records[number - int(self.starts[group])].tobytes())

    def _read_cell(self, number: int, cell: Cell) -> Rows:
        level = self.levels[number]
        groups = self.table.groups_in(self.grid.cell_box(level, cell))
        wanted = np.asarray(cell, np.uint16)
        pieces = []
        for group in groups:
            rows = self._group(group)
            here = (rows.lots >= level.first) & (rows.lots < level.stop)
            here &= (coarser(rows.cells, level.halvings) == wanted).all(axis=1)
            pieces.append(rows.take(here))
        return join_rows(pieces) if pieces else self._empty()

    def _group(self, group: int) -> Rows:
        key = (*self.version, group)
        rows = _groups.get(key)
        if rows is None:
            piece = self.table.read_groups([group], columns_of(self.properties))
            start, stop = self.starts[group], self.starts[group + 1]
            numbers = np.arange(start, stop).astype(np.uint64)
            rows = encode(piece, numbers, self.grid, self.properties)
            _groups.put(key, rows)
        return rows

    def _empty(self) -> Rows:
        piece = self.table.read_groups([], columns_of(self.properties))
        return encode(piece, np.zeros(0, np.uint64), self.grid, self.properties)


def build_index(table: PointsTable, version: tuple[object, ...]) -> AnnotationIndex:
    """Pass once over a table and lay out its index.

    Raises:
        FormatError: The file is broken.
        StoreError: The storage failed.
    """
    grid = Grid.around(table.bounds_um)
    starts = np.concatenate([[0], np.cumsum(table.group_rows)]).astype(np.int64)
    properties = table_properties(table, _words(table))
    share = min(1.0, _SAMPLE_ROWS / max(1, table.count))
    rows = join_rows(list(_pass(table, grid, starts, properties, share)))
    highest = np.asarray(table.bounds_um[1][::-1]) if table.bounds_um else np.ones(3)
    levels = grid.levels(rows.cells, share, highest)
    return AnnotationIndex(
        table=table,
        grid=grid,
        levels=levels,
        properties=properties,
        starts=starts,
        samples=tuple(_samples(rows, levels, share)),
        version=version,
    )


def columns_of(properties: tuple[Property, ...]) -> list[str]:
    """Name the columns that annotations are made of."""
    return list(dict.fromkeys((*POSITION, *(prop.column for prop in properties))))


def join_rows(pieces: list[Rows]) -> Rows:
    """Put pieces together."""
    if len(pieces) == 1:
        return pieces[0]
    return Rows(
        np.concatenate([piece.records for piece in pieces]),
        np.concatenate([piece.numbers for piece in pieces]),
        np.concatenate([piece.lots for piece in pieces]),
        np.concatenate([piece.cells for piece in pieces]),
    )


def _pass(
    table: PointsTable,
    grid: Grid,
    starts: NDArray[np.int64],
    properties: tuple[Property, ...],
    share: float,
) -> Iterator[Rows]:
    groups = len(starts) - 1
    columns = columns_of(properties)
    for first in range(0, max(1, groups), _PASS_GROUPS):
        stop = min(groups, first + _PASS_GROUPS)
        piece = table.read_groups(range(first, stop), columns)
        numbers = np.arange(starts[first], starts[stop]).astype(np.uint64)
        yield encode(piece, numbers, grid, properties, below=share)


def _words(table: PointsTable) -> Mapping[str, tuple[str, ...]]:
    """Return the words of the columns of text that have few."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(text_columns(table), ())
    groups = len(table.group_rows)
    for first in range(0, groups, _PASS_GROUPS):
        if not found:
            break
        piece = table.read_groups(range(first, min(groups, first + _PASS_GROUPS)), list(found))
        for name in list(found):
            words = few_words(piece.column(name), found[name])
            if words is None:
                del found[name]
            else:
                found[name] = words
    return {name: words for name, words in found.items() if words}


def _samples(
    rows: Rows, levels: tuple[GridLevel, ...], share: float
) -> Iterator[SampleLevel | None]:
    for level in levels:
        if level.stop > share or math.isclose(level.first, level.stop):
            yield None
            continue
        shown = rows.take(np.flatnonzero((rows.lots >= level.first) & (rows.lots < level.stop)))
        codes = cell_codes(coarser(shown.cells, level.halvings))
        order = np.argsort(codes, kind="stable")
        yield SampleLevel(shown.take(order), codes[order])
