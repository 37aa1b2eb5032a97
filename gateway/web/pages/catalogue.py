"""The catalogue: all datasets one may see."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.service.access.rights import visible_datasets
from gateway.service.listing import summarize_store
from gateway.web.pages.rendering import page
from gateway.web.rules import Anyone, GatewayHere

router = APIRouter(include_in_schema=False)


@router.get("/")
def catalogue(request: Request, gateway: GatewayHere, actor: Anyone) -> HTMLResponse:
    """Show the datasets."""
    seen = visible_datasets(gateway, actor)
    datasets = [d for d in summarize_store(gateway) if seen is None or d.name in seen]
    return page(request, "catalogue.html", actor, datasets=datasets)
