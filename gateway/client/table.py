"""A points table of a gateway: rows come over HTTP when they are asked for."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.client.http import Http
from gateway.errors import NotFoundError, StoreError
from gateway.volumes.points import BoxUm
from gateway.volumes.ref import Ref


@dataclass(frozen=True, slots=True)
class RemoteTable:
    """A points table; the same calls as `gateway.volumes.points.PointsTable`."""

    ref: Ref
    count: int
    columns: tuple[str, ...]
    bounds_um: BoxUm | None
    digest: str | None
    _http: Http = field(repr=False)

    @property
    def key(self) -> str:
        """Where it lies in its store."""
        return f"{self.ref}.points.parquet"

    def read(
        self, box_um: BoxUm | None = None, columns: Sequence[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Read the rows of a box.

        Args:
            box_um: Half-open box in micrometres, zyx; None reads all rows.
            columns: The columns wanted; None reads all.

        Raises:
            NotFoundError: The table has no such column.
            GatewayError: The gateway refused or failed.
        """
        wanted = self.columns if columns is None else tuple(columns)
        unknown = [name for name in wanted if name not in self.columns]
        if unknown:
            raise NotFoundError(
                f"no column {unknown[0]!r} in {self.key}; there is {', '.join(self.columns)}"
            )
        corners = None if box_um is None else ",".join(repr(float(v)) for c in box_um for v in c)
        if box_um is not None and any(a >= b for a, b in zip(*box_um, strict=True)):
            return {name: np.empty(0) for name in wanted}
        query = {"box": corners, "column": list(wanted)}
        content = self._http.get_bytes(f"/api/rows/{self.ref.dataset}/{self.ref.name}", query)
        try:
            rows = pa.ipc.open_stream(io.BytesIO(content)).read_all()
        except (pa.ArrowException, OSError) as error:
            raise StoreError(
                f"the rows of {self.ref} were cut off on their way; try again, or ask for fewer"
            ) from error
        return {name: _array(rows.column(name)) for name in wanted}


def open_table(http: Http, ref: Ref) -> RemoteTable:
    """Open a table; only its head is asked for.

    Raises:
        GatewayError: There is none, or the gateway refused.
    """
    said = http.get(f"/api/tables/{ref.dataset}/{ref.name}", {"limit": 1})
    bounds = said["bounds_um"]
    return RemoteTable(
        ref=ref,
        count=said["total"],
        columns=tuple(said["columns"]),
        bounds_um=cast("BoxUm", tuple(map(tuple, bounds))) if bounds else None,
        digest=said.get("digest"),
        _http=http,
    )


def _array(column: "pa.ChunkedArray") -> NDArray[Any]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.asarray(column.to_pylist(), dtype=np.str_)
    array: NDArray[Any] = column.to_numpy()
    return array
