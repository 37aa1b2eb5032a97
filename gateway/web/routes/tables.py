"""Tables: what their columns hold, and rows by place."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from gateway.service.browse.tables import (
    MOST_ROWS,
    Column,
    parse_box_um,
    read_rows,
    summarize_table,
)
from gateway.volumes.box import Vector
from gateway.volumes.ref import Ref
from gateway.web.faults import FAULTS, UNFIT
from gateway.web.rules import GatewayHere, Viewer

router = APIRouter(prefix="/api", tags=["tables"], responses=FAULTS | UNFIT)


class Asked(BaseModel):
    """Which part of a table is wanted."""

    box: str | None = Field(
        None, max_length=400, description="`z0,y0,x0,z1,y1,x1` in micrometres, half-open."
    )
    column: list[str] = Field([], max_length=100, description="Only these columns.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class Table(BaseModel):
    """Rows of a table, and what its columns hold."""

    ref: str
    total: int = Field(description="Rows of the box, or of the table where no box is given.")
    columns: tuple[str, ...] = Field(description="Names of the values of each row.")
    rows: tuple[tuple[Any, ...], ...] = Field(
        description="In spatial order, at most `limit`; null where a value is not a number."
    )
    bounds_um: tuple[Vector, Vector] | None = Field(
        None, description="Lowest and highest position, zyx; without a box only."
    )
    summary: tuple[Column, ...] | None = Field(
        None, description="Range, quantiles and histogram of each column; without a box only."
    )
    looked_at: int | None = Field(None, description="Rows that the summary was made of.")


@router.get("/tables/{dataset}/{entry}")
def read_table(
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: str,
    asked: Annotated[Asked, Query()],
) -> Table:
    """Return the rows of a box; without one, the first rows and what each column holds."""
    del actor
    ref = Ref(dataset, entry)
    box_um = None if asked.box is None else parse_box_um(asked.box)
    found = read_rows(gateway, ref, box_um=box_um, columns=asked.column, limit=asked.limit)
    table = Table(ref=found.ref, total=found.total, columns=found.columns, rows=found.rows)
    if box_um is not None:
        return table
    whole = summarize_table(gateway, ref)
    return table.model_copy(
        update={
            "bounds_um": whole.bounds_um,
            "summary": tuple(c for c in whole.columns if c.name in found.columns),
            "looked_at": whole.looked_at,
        }
    )
