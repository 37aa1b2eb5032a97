"""Boxes of voxels and points as files, sent as they are made."""

from collections.abc import AsyncIterator
from functools import partial
from threading import BoundedSemaphore
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.errors import LimitError
from gateway.service.access.audit import note
from gateway.service.view.cutouts import Cutout, plan_cutout
from gateway.service.view.cutouts import Request as Wanted
from gateway.service.view.pipe import Pipe
from gateway.service.view.snippets import cutout_snippet
from gateway.volumes.ref import Ref
from gateway.web.rules import GatewayHere, Viewer

router = APIRouter(prefix="/api", tags=["cutouts"])

_MOST_AT_ONCE = 8
_slots = BoundedSemaphore(_MOST_AT_ONCE)

Form = Literal["npy", "tif", "nii.gz", "nrrd", "zip", "csv", "json"]


def wanted(
    *,
    format: Annotated[  # noqa: A002 - the name of the query
        Form, Query(description="Of volumes `npy tif nii.gz nrrd zip`, of points `csv json`.")
    ] = "npy",
    level: Annotated[int, Query(ge=0, le=63, description="Resolution level.")] = 0,
    box: Annotated[
        str | None, Query(max_length=100, description="Voxels of the level: z0:z1,y0:y1,x0:x1.")
    ] = None,
    box_um: Annotated[
        str | None, Query(max_length=200, description="The same in micrometres, also for points.")
    ] = None,
    channel: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    time: Annotated[int, Query(ge=0, le=2**31 - 1, description="Time point; one at a time.")] = 0,
) -> Wanted:
    """Read what is asked for from the query."""
    return Wanted(form=format, level=level, box=box, box_um=box_um, channel=channel, time=time)


Asked = Annotated[Wanted, Depends(wanted)]


@router.get(
    "/cutout/{dataset}/{entry}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
)
async def get_cutout(
    *, gateway: GatewayHere, actor: Viewer, dataset: str, entry: str, asked: Asked
) -> Response:
    """Send a box of an image, labels or points as a file of another program."""
    cutout = await to_thread.run_sync(plan_cutout, gateway, Ref(dataset, entry), asked)
    if not _slots.acquire(blocking=False):
        raise LimitError(
            f"{_MOST_AT_ONCE} cut-outs are being sent already, the most at once; "
            "try again in a moment"
        )
    pipe = Pipe(cutout.write, f"cutout {dataset}/{entry}")
    told: dict[str, Any] = {"entry": entry, "box": cutout.box, "file": cutout.filename}
    try:
        first = await to_thread.run_sync(pipe.read)
        await to_thread.run_sync(partial(note, gateway, actor, "cut out", dataset, **told))
    except BaseException:
        _release(pipe)
        raise
    return _Sending(pipe, first, cutout)


@router.head("/cutout/{dataset}/{entry}", response_class=Response)
def head_cutout(
    *, gateway: GatewayHere, actor: Viewer, dataset: str, entry: str, asked: Asked
) -> Response:
    """Say what a cut-out would be: its type and, where that is known, its size."""
    del actor
    cutout = plan_cutout(gateway, Ref(dataset, entry), asked)
    return _Headers(cutout)


@router.get("/cutout-snippet/{dataset}/{entry}")
def get_snippet(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: str,
    asked: Asked,
) -> dict[str, Any]:
    """Return the line of Python that reads the same box, and the box itself."""
    del actor
    ref = Ref(dataset, entry)
    cutout = plan_cutout(gateway, ref, asked)
    url = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
    points = asked.form in ("csv", "json")
    return {
        "python": cutout_snippet(url, ref, asked, points=points, timed=cutout.timed),
        "box": cutout.box,
        "filename": cutout.filename,
        "bytes": cutout.size,
    }


class _Sending(StreamingResponse):
    """A file on its way; however the sending ends, the writing ends with it."""

    def __init__(self, pipe: Pipe, first: bytes, cutout: Cutout) -> None:
        super().__init__(
            _pieces(pipe, first), media_type=cutout.media_type, headers=_headers(cutout)
        )
        self._pipe = pipe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            _release(self._pipe)


class _Headers(Response):
    """An answer without a body whose length is that of the file it tells of."""

    def __init__(self, cutout: Cutout) -> None:
        super().__init__(media_type=cutout.media_type, headers=_headers(cutout))
        if cutout.size is None:
            del self.headers["content-length"]


def _headers(cutout: Cutout) -> dict[str, str]:
    headers = {
        "Content-Disposition": f'attachment; filename="{cutout.filename}"',
        "Cache-Control": "private, no-store",
        "X-Gateway-Box": cutout.box,
    }
    if cutout.size is not None:
        headers["Content-Length"] = str(cutout.size)
    return headers


async def _pieces(pipe: Pipe, first: bytes) -> AsyncIterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = await to_thread.run_sync(pipe.read)


def _release(pipe: Pipe) -> None:
    pipe.close()
    _slots.release()
