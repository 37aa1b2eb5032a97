"""Viewer states, saved views, the blank-viewer doctor."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from gateway.service.view.states import Rendering, viewer_state
from gateway.web.rules import GatewayHere, Viewer

router = APIRouter(prefix="/api", tags=["views"])


def data_base(request: Request) -> str:
    """Return what leads the URLs of data for whoever sends a request, share link included."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


@router.get("/state/{dataset}")
def dataset_state(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: Annotated[list[str] | None, Query(max_length=200)] = None,
    rendering: Rendering = "off",
) -> dict[str, Any]:
    """Return a Neuroglancer state of all layers of a dataset, or of some of them."""
    del actor
    return viewer_state(gateway, dataset, data_base(request), entry or (), rendering=rendering)


@router.get("/state/{dataset}/{entry}")
def entry_state(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: str,
    rendering: Rendering = "off",
) -> dict[str, Any]:
    """Return a Neuroglancer state of one entry."""
    del actor
    return viewer_state(gateway, dataset, data_base(request), (entry,), rendering=rendering)
