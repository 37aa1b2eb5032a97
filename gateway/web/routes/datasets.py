"""Datasets: search, description with its history, entries, runs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from gateway.service.access.audit import note
from gateway.service.access.rights import require_person
from gateway.service.browse.overview import EntryView, Overview, overview, runs_of, view_entry
from gateway.service.browse.search import Found, search
from gateway.service.browse.sight import SeenRun
from gateway.service.descriptions import (
    Description,
    change_description,
    list_descriptions,
    restore_description,
)
from gateway.volumes.ref import Ref
from gateway.web.addresses import dataset_url
from gateway.web.faults import CONFLICT, FAULTS, UNFIT
from gateway.web.rules import Anyone, Editor, GatewayHere, PartViewer, Viewer
from gateway.web.terms import Terms

router = APIRouter(prefix="/api", tags=["datasets"], responses=FAULTS)

_Text = Annotated[str | None, Field(max_length=500)]
_Texts = Annotated[list[Annotated[str, Field(max_length=200)]] | None, Field(max_length=100)]


class Changes(BaseModel, extra="forbid"):
    """Fields of a description; those left out stay as they are."""

    title: _Text = None
    sample: _Text = None
    species: _Text = None
    stain: _Text = None
    modality: _Text = None
    date: _Text = Field(None, description="A day, a month or a year: 2026-11-21, 2026-11, 2026.")
    licence: _Text = Field(None, description="An SPDX name such as CC-BY-4.0.")
    people: _Texts = None
    tags: _Texts = None


class Edit(BaseModel, extra="forbid"):
    """A change of a description."""

    base: int = Field(ge=0, le=2**31 - 1, description="The version that you read and edited.")
    changes: Changes
    note: str = Field("", max_length=200, description="Why.")


class Base(BaseModel, extra="forbid"):
    """The version of a description on which a change is based."""

    base: int = Field(ge=0, le=2**31 - 1)


@router.get("/datasets")
def find_datasets(gateway: GatewayHere, actor: Anyone, terms: Annotated[Terms, Query()]) -> Found:
    """Search the datasets that you may see, with the number of matches per facet."""
    return search(gateway, actor, terms.query())


@router.get("/datasets/{dataset}")
def read_dataset(
    request: Request, gateway: GatewayHere, actor: PartViewer, dataset: str
) -> Overview:
    """Return what a dataset holds, what is said of its sample, and how to cite it."""
    return overview(gateway, actor, dataset, dataset_url(request, gateway, dataset))


@router.patch("/datasets/{dataset}", responses=CONFLICT | UNFIT)
def change_dataset(gateway: GatewayHere, actor: Editor, dataset: str, edit: Edit) -> Description:
    """Change the description of a dataset, based on the version that you read."""
    said = edit.changes.model_dump(exclude_none=True)
    person = require_person(actor)
    changed = change_description(gateway, dataset, said, base=edit.base, who=person, note=edit.note)
    if changed.version != edit.base:
        note(gateway, actor, "description changed", dataset, version=changed.version)
    return changed


@router.get("/datasets/{dataset}/history")
def read_history(gateway: GatewayHere, actor: Viewer, dataset: str) -> list[Description]:
    """Return every version of the description, the latest first."""
    del actor
    return list_descriptions(gateway, dataset)


@router.post("/datasets/{dataset}/history/{version}/restore", responses=CONFLICT)
def restore_dataset(
    gateway: GatewayHere, actor: Editor, dataset: str, version: int, base: Base
) -> Description:
    """Say again what an earlier version of the description said, as a new version."""
    person = require_person(actor)
    made = restore_description(gateway, dataset, version, base=base.base, who=person)
    note(gateway, actor, "description restored", dataset, version=made.version, of=version)
    return made


@router.get("/datasets/{dataset}/runs")
def read_runs(
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[SeenRun]:
    """Return the runs that took from or gave to a dataset, latest first, however they ended."""
    return runs_of(gateway, actor, dataset, limit)


@router.get("/entries/{dataset}/{entry}")
def read_entry(gateway: GatewayHere, actor: Viewer, dataset: str, entry: str) -> EntryView:
    """Return one thing of a dataset, the run that made it and the runs that used it."""
    return view_entry(gateway, actor, Ref(dataset, entry))
