"""Ingest: what lies in the inboxes, what it is, and a job that takes it into the store."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import CallError
from gateway.service.access.rights import require_person
from gateway.service.ingest import IngestOptions, Recognised
from gateway.service.jobs.follow import describe_job
from gateway.service.jobs.ingesting import ask_ingest, look, read_wish, suggest_ref
from gateway.service.jobs.places import list_inboxes, list_place
from gateway.web.routes import uploads
from gateway.web.rules import GatewayHere, Person

router = APIRouter()
_own = APIRouter(prefix="/api/ingest", tags=["ingest"])
Place = Annotated[str, Query(max_length=4000)]


class SourceBody(BaseModel):
    """Something in an inbox, and what its files do not say."""

    model_config = ConfigDict(extra="forbid")

    place: str = Field(min_length=1, max_length=4000)
    """`INBOX/PATH`."""
    options: dict[str, str] = {}
    """As in the form: `voxel_um`, `channel_names`, `kind`, `overlap`, `grid`, …"""


class IngestBody(SourceBody):
    """Something in an inbox that is to be taken into the store."""

    ref: str = Field(max_length=300)
    """`DATASET/NAME` it gets."""


@_own.get("/inboxes")
def get_inboxes(gateway: GatewayHere, actor: Person) -> list[str]:
    """List the inboxes one may take from."""
    return [inbox.name for inbox in list_inboxes(gateway, require_person(actor))]


@_own.get("/list")
def get_place(gateway: GatewayHere, actor: Person, place: Place) -> dict[str, Any]:
    """List a folder of an inbox."""
    return asdict(list_place(gateway, require_person(actor), place))


@_own.post("/recognise")
def recognise_place(gateway: GatewayHere, actor: Person, body: SourceBody) -> dict[str, Any]:
    """Say what a file or folder of an inbox is; nothing is written."""
    return described(body.place, look(gateway, actor, body.place, _options(body)))


@_own.post("", status_code=201)
def make_ingest(gateway: GatewayHere, actor: Person, body: IngestBody) -> dict[str, Any]:
    """Put an ingest into the queue; it is a job like any other."""
    job = ask_ingest(gateway, actor, body.place, body.ref, _options(body))
    return describe_job(gateway, job)


def described(place: str, found: Recognised) -> dict[str, Any]:
    """Return what was recognised as JSON values, its place instead of a path of the server."""
    document = {**found.to_json(), "place": place, "bytes": found.bytes}
    del document["path"]
    document["missing"] = ["voxel_um"] if found.voxel_um is None else []
    document["suggested_ref"] = suggest_ref(place, found)
    return document


def _options(body: SourceBody) -> IngestOptions:
    wish = read_wish(body.options)
    if wish.errors:
        raise CallError("; ".join(f"{name} {text}" for name, text in wish.errors.items()))
    return wish.options


router.include_router(_own)
router.include_router(uploads.router)
