"""The monitor for administrators: a page that keeps itself fresh."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.service.jobs.monitor import watch
from gateway.web.pages.rendering import page
from gateway.web.rules import Administrator, GatewayHere

router = APIRouter(include_in_schema=False)


@router.get("/monitor")
def monitor(request: Request, gateway: GatewayHere, actor: Administrator) -> HTMLResponse:
    """Show what the machine and its people do."""
    return page(request, "monitor.html", actor, seen=watch(gateway, actor))
