"""The catalogue: all datasets one may see."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from gateway.service.browse.search import FACETS, SORTS, search
from gateway.service.browse.unlisted import count_unlisted
from gateway.web.pages.rendering import page
from gateway.web.rules import Anyone, GatewayHere
from gateway.web.terms import Terms

router = APIRouter(include_in_schema=False)

_SORTS = {
    "best": "Best match",
    "recent": "Last changed",
    "oldest": "Oldest first",
    "title": "Title",
    "name": "Name",
}
_FACETS = {"person": "People", "year": "Date", "tag": "Tags"}


@router.get("/")
def catalogue(
    request: Request, gateway: GatewayHere, actor: Anyone, terms: Annotated[Terms, Query()]
) -> Response:
    """Show the datasets."""
    if actor.link is not None:
        root = request.scope.get("root_path", "")
        return RedirectResponse(f"{root}/d/{actor.link_dataset}", status_code=303)
    found = search(gateway, actor, terms.query())
    empty = found.total == 0 and not terms.narrowed
    return page(
        request,
        "catalogue.html",
        actor,
        found=found,
        terms=terms,
        sorts=[(sort, _SORTS[sort]) for sort in SORTS],
        facets=[(facet, _FACETS.get(facet, facet.capitalize())) for facet in FACETS],
        unlisted=count_unlisted(gateway) if empty and actor.administrator else 0,
    )
