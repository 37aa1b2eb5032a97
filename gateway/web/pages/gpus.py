"""The page of GPUs: what is free, one's own leases, everybody's for administrators."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from gateway.service.leases.seen import end_lease, see_leases
from gateway.web.pages.rendering import page
from gateway.web.rules import GatewayHere, Person

router = APIRouter(include_in_schema=False)


@router.get("/gpus")
def gpus(request: Request, gateway: GatewayHere, actor: Person) -> HTMLResponse:
    """Show the GPUs and their leases."""
    return page(request, "gpus.html", actor, gpus=see_leases(gateway, actor))


@router.post("/gpus/{lease}/end")
def lease_ended(
    request: Request, gateway: GatewayHere, actor: Person, lease: str
) -> RedirectResponse:
    """Take a lease back."""
    end_lease(gateway, actor, lease)
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/gpus", status_code=HTTPStatus.SEE_OTHER)
