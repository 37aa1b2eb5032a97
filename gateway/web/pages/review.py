"""Proof-reading: the viewer with an annotation layer, its keys and its queue."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.service.access.actor import Role
from gateway.service.access.rights import role_on
from gateway.service.listing import summarize_dataset
from gateway.service.review.layers import describe_layer, list_layers, show_layer
from gateway.web.layer_rules import LayerViewer, Name
from gateway.web.pages.rendering import page
from gateway.web.rules import GatewayHere, PartViewer

router = APIRouter(include_in_schema=False)


@router.get("/d/{dataset}/review")
def layers(
    request: Request, gateway: GatewayHere, actor: PartViewer, dataset: Name
) -> HTMLResponse:
    """List the layers of a dataset, and let an editor make one."""
    found = list_layers(gateway, actor, dataset)
    values: dict[str, Any] = {"dataset": dataset, "layers": found, "volumes": [], "tables": []}
    may_make = role_on(gateway, actor, dataset) >= Role.EDITOR
    if may_make:
        kinds = {one.ref.name: one.entry.kind for one in summarize_dataset(gateway, dataset)}
        values["volumes"] = [name for name in kinds if kinds[name] in ("image", "labels")]
        values["tables"] = [name for name in kinds if kinds[name] == "points"]
    return page(request, "review_layers.html", actor, may_make=may_make, **values)


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
