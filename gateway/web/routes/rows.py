"""Rows of tables for programs, of any number."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from gateway.service.browse.arrow_rows import MEDIA_TYPE, stream_rows
from gateway.service.browse.tables import open_table, parse_box_um
from gateway.volumes.ref import Ref
from gateway.web.rules import GatewayHere, Viewer

router = APIRouter(prefix="/api", tags=["tables"])


@router.get(
    "/rows/{dataset}/{entry}",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "An Arrow stream."}},
)
def read_rows(
    *,
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: str,
    box: Annotated[
        str | None,
        Query(max_length=400, description="`z0,y0,x0,z1,y1,x1` in micrometres, half-open."),
    ] = None,
    column: Annotated[
        list[str] | None, Query(max_length=100, description="Only these columns.")
    ] = None,
) -> StreamingResponse:
    """Send the rows of a box, or all, as an Arrow stream: exact types, any number of rows."""
    del actor
    table = open_table(gateway, Ref(dataset, entry))
    box_um = None if box is None else parse_box_um(box)
    pieces = stream_rows(table, box_um, column or ())
    return StreamingResponse(pieces, media_type=MEDIA_TYPE)
