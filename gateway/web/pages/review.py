"""Proof-reading: the viewer with an annotation layer, its keys and its queue."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.service.access.actor import Role
from gateway.service.access.rights import role_on
from gateway.service.review.layers import describe_layer, show_layer
from gateway.web.layer_rules import LayerViewer, Name
from gateway.web.pages.rendering import page
from gateway.web.rules import GatewayHere

router = APIRouter(include_in_schema=False)


@router.get("/d/{dataset}/review/{layer}")
def review(
    request: Request, gateway: GatewayHere, actor: LayerViewer, dataset: Name, layer: Name
) -> HTMLResponse:
    """Show a layer over its volume, to be corrected by whoever may annotate."""
    told = describe_layer(show_layer(gateway, dataset, layer))
    role = role_on(gateway, actor, dataset, str(told["volume"]))
    values: dict[str, Any] = {
        "dataset": dataset,
        "layer": told,
        "view": "",
        "may_save": False,
        "may_annotate": role >= Role.ANNOTATOR,
    }
    return page(request, "review.html", actor, **values)
