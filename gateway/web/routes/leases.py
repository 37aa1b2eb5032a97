"""GPUs: how many are free, who holds them and who waits."""

from typing import Any

from fastapi import APIRouter

from gateway.service.leases.seen import end_lease, see_leases
from gateway.web.rules import GatewayHere, Person

router = APIRouter(prefix="/api", tags=["leases"])


@router.get("/leases")
def get_leases(gateway: GatewayHere, actor: Person) -> dict[str, Any]:
    """List the GPUs and one's own leases, with the place in the line; administrators see all."""
    return see_leases(gateway, actor)


@router.delete("/leases/{lease}")
def delete_lease(gateway: GatewayHere, actor: Person, lease: str) -> dict[str, Any]:
    """Take a lease back, which stops what uses it: one's own; anybody's for administrators."""
    return end_lease(gateway, actor, lease).to_json()
