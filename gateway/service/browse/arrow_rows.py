"""Rows of a table as a stream of Arrow record batches: for programs, of any length."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from gateway.errors import NotFoundError
from gateway.volumes.arrow_values import values_of
from gateway.volumes.columns import POSITION
from gateway.volumes.points import BoxUm, PointsTable

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
_GROUPS = 16
"""Row groups read at once: what is in memory does not grow with the table."""


def stream_rows(
    table: PointsTable, box_um: BoxUm | None, columns: Sequence[str]
) -> Iterator[bytes]:
    """Return the pieces of an Arrow stream of the rows of a box, or of all.

    Args:
        table: The table.
        box_um: Half-open box in micrometres, zyx; None takes all rows.
        columns: The columns wanted; none means all.

    Raises:
        NotFoundError: The table has no such column.
    """
    wanted = tuple(columns) or table.columns
    unknown = [name for name in wanted if name not in table.columns]
    if unknown:
        raise NotFoundError(
            f"no column {unknown[0][:80]!r} in {table.key}; there is {', '.join(table.columns)}"
        )
    return _pieces(table, box_um, wanted)


def _pieces(table: PointsTable, box_um: BoxUm | None, wanted: Sequence[str]) -> Iterator[bytes]:
    schema = pa.schema([table.schema.field(name) for name in wanted])
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, schema) as writer:
        for rows in _batches(table, box_um, wanted):
            writer.write_table(rows.cast(schema))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _batches(
    table: PointsTable, box_um: BoxUm | None, wanted: Sequence[str]
) -> Iterator["pa.Table"]:
    if box_um is None:
        groups, read = list(range(len(table.group_rows))), tuple(wanted)
    else:
        groups, read = table.groups_in(box_um), tuple(dict.fromkeys((*POSITION, *wanted)))
    for first in range(0, len(groups), _GROUPS):
        rows = table.read_groups(groups[first : first + _GROUPS], read)
        if box_um is not None:
            inside = np.ones(rows.num_rows, bool)
            for name, start, stop in zip(POSITION, *box_um, strict=True):
                position = values_of(rows.column(name))
                inside &= (position >= start) & (position < stop)
            rows = rows.filter(pa.array(inside))
        yield rows.select(list(wanted))
