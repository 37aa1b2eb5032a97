"""Datasets: search, description with its history, entries, runs."""

from typing import Annotated

from fastapi import APIRouter, Query

from gateway.service.browse.search import Found, search
from gateway.web.rules import Anyone, GatewayHere
from gateway.web.terms import Terms

router = APIRouter(prefix="/api", tags=["datasets"])


@router.get("/datasets")
def find_datasets(gateway: GatewayHere, actor: Anyone, terms: Annotated[Terms, Query()]) -> Found:
    """Search the datasets that you may see, with the number of matches per facet."""
    return search(gateway, actor, terms.query())
