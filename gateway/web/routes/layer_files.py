"""Annotation layers as files: export and import; and the thread that keeps them in the store."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from gateway.errors import LimitError
from gateway.service.gateway import Gateway
from gateway.service.review.exchange import SUFFIXES, exported, import_objects
from gateway.service.review.keeper import LayerKeeper
from gateway.service.review.layers import show_layer
from gateway.volumes.layer_writing import LayerFormat
from gateway.web.layer_rules import LayerEditor, LayerViewer, Name
from gateway.web.rules import GatewayHere

_PIECE = 1 << 20
_TYPES: dict[LayerFormat, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "hdf5": "application/x-hdf5",
    "parquet": "application/vnd.apache.parquet",
}


@asynccontextmanager
async def keep_layers(app: FastAPI) -> AsyncIterator[None]:
    """Keep changed layers in the store for as long as the service runs."""
    keeper = LayerKeeper(app.state.gateway)
    keeper.start()
    try:
        yield
    finally:
        await run_in_threadpool(keeper.stop)


router = APIRouter(prefix="/api/layers/{dataset}/{layer}", tags=["layers"], lifespan=keep_layers)


@router.get("/export", response_class=StreamingResponse)
def export(
    *,
    gateway: GatewayHere,
    actor: LayerViewer,
    dataset: Name,
    layer: Name,
    form: Annotated[LayerFormat, Query(alias="format")] = "json",
    version: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> StreamingResponse:
    """Download a layer, now or at a version; positions come first, as z_um, y_um, x_um."""
    del actor
    show_layer(gateway, dataset, layer)
    pieces = _pieces(gateway, dataset, layer, form, version)
    first = next(pieces)  # so that what goes wrong is still answered as an error
    name = f"{dataset}-{layer}{SUFFIXES[form]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_joined(first, pieces), media_type=_TYPES[form], headers=headers)


@router.post("/import")
async def take_in(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: LayerEditor,
    dataset: Name,
    layer: Name,
    form: Annotated[LayerFormat, Query(alias="format")] = "json",
    key: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Add the objects of a file, sent as the body, as one version: `{"version", "count"}`."""
    most = int(gateway.settings.upload)
    with tempfile.TemporaryDirectory(prefix="gateway-layer-") as folder:
        path, size = Path(folder) / f"layer{SUFFIXES[form]}", 0
        with path.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise LimitError(f"the file is larger than {most:,} bytes, the setting upload")
                file.write(piece)
        return await run_in_threadpool(
            import_objects, gateway, actor, dataset, layer, path=path, form=form, key=key
        )


def _pieces(
    gateway: Gateway, dataset: str, layer: str, form: LayerFormat, version: int | None
) -> Iterator[bytes]:
    with exported(gateway, dataset, layer, form, version) as path, path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _joined(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces
