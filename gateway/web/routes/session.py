"""Signing in and out."""

from typing import Any

from fastapi import APIRouter

from gateway.web.rules import Anyone

router = APIRouter(prefix="/api", tags=["session"])


@router.get("/me")
def me(actor: Anyone) -> dict[str, Any]:
    """Say who asks."""
    return {
        "name": actor.name,
        "person": actor.person,
        "groups": sorted(actor.groups),
        "administrator": actor.administrator,
    }
