"""Passes: what a notebook puts into the address of the frame that shows a dataset."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.service.access.passes import LONGEST_LIFE, USUAL_LIFE, make_pass
from gateway.web.addresses import site_url
from gateway.web.rules import GatewayHere, Person

router = APIRouter(prefix="/api", tags=["passes"])
_HOUR = timedelta(hours=1)


class NewPass(BaseModel):
    """A pass to be made."""

    model_config = ConfigDict(extra="forbid")

    dataset: Annotated[str, Field(max_length=120, description="What it shows.")]
    hours: Annotated[
        float, Field(gt=0, le=LONGEST_LIFE / _HOUR, description="How long it holds.")
    ] = USUAL_LIFE / _HOUR


@router.post("/passes", status_code=201)
def new_pass(request: Request, gateway: GatewayHere, actor: Person, new: NewPass) -> dict[str, Any]:
    """Make a pass: for some hours its holder sees of one dataset what you see of it."""
    made = make_pass(gateway, actor, new.dataset, new.hours * _HOUR)
    return {
        "path": f"/s/{made.token}/",
        "url": f"{site_url(request, gateway)}/s/{made.token}/",
        "expires": made.expires.isoformat(),
    }
