"""Share links."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import NotFoundError
from gateway.service.access.actor import parse_role
from gateway.service.access.links import (
    LONGEST_LIFE,
    USUAL_LIFE,
    find_link,
    link_token,
    list_links,
    make_link,
    revoke_link,
)
from gateway.service.gateway import Gateway
from gateway.web.addresses import site_url
from gateway.web.rules import GatewayHere, Owner

router = APIRouter(prefix="/api", tags=["links"])


class NewLink(BaseModel):
    """A share link to be made."""

    model_config = ConfigDict(extra="forbid")

    entry: Annotated[
        str | None, Field(max_length=120, description="The one thing it opens; none: all.")
    ] = None
    role: Literal["viewer", "annotator"] = "viewer"
    days: Annotated[float, Field(gt=0, le=LONGEST_LIFE.days, description="How long it holds.")] = (
        USUAL_LIFE.days
    )
    note: Annotated[str, Field(max_length=200, description="For whom it is, say.")] = ""


@router.get("/links/{dataset}")
def links(gateway: GatewayHere, actor: Owner, dataset: str) -> list[dict[str, Any]]:
    """List the links of a dataset, also those that ended."""
    return [link.to_json() for link in list_links(gateway, actor, dataset)]


@router.post("/links/{dataset}", status_code=201)
def new_link(
    request: Request, gateway: GatewayHere, actor: Owner, dataset: str, new: NewLink
) -> dict[str, Any]:
    """Make a share link; `url` is what to send."""
    life = timedelta(days=new.days)
    link, token = make_link(
        gateway, actor, dataset, new.entry, parse_role(new.role), life=life, note=new.note
    )
    return {**find_link(gateway, link).to_json(), "url": link_url(request, gateway, token)}


@router.get("/links/{dataset}/{link}")
def one_link(
    request: Request, gateway: GatewayHere, actor: Owner, dataset: str, link: str
) -> dict[str, Any]:
    """Return a link once more, with its URL."""
    found = _of(gateway, dataset, link)
    token = link_token(gateway, actor, link)
    return {**found, "url": link_url(request, gateway, token)}


@router.delete("/links/{dataset}/{link}", status_code=204)
def link_gone(gateway: GatewayHere, actor: Owner, dataset: str, link: str) -> None:
    """End a link: the next request with it is refused."""
    _of(gateway, dataset, link)
    revoke_link(gateway, actor, link)


def link_url(request: Request, gateway: Gateway, token: str) -> str:
    """Return what to send to whom something is shared with."""
    return f"{site_url(request, gateway)}/s/{token}/"


def _of(gateway: Gateway, dataset: str, link: str) -> dict[str, Any]:
    found = find_link(gateway, link)
    if found.dataset != dataset:
        raise NotFoundError(f"there is no share link {link[:60]!r} of {dataset}")
    return found.to_json()
