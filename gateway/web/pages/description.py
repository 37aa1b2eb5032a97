"""The description of a dataset: changed by its editors, every version shown and restored."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from gateway.errors import ConflictError, FormatError, GatewayError
from gateway.service.access.actor import Actor, Role
from gateway.service.access.audit import note as note_down
from gateway.service.access.rights import require_person, role_on
from gateway.service.browse.search import Query, search
from gateway.service.descriptions import (
    Description,
    change_description,
    current_description,
    list_descriptions,
    restore_description,
)
from gateway.service.gateway import Gateway
from gateway.volumes.dataset import DatasetInfo
from gateway.web.pages.rendering import page
from gateway.web.problems import status_of
from gateway.web.rules import Editor, GatewayHere, Viewer

router = APIRouter(include_in_schema=False)

LABELS = {
    "title": ("Title", "What the dataset is, in a line."),
    "sample": ("Sample", "The animal or specimen."),
    "species": ("Species", "Such as Mus musculus."),
    "stain": ("Stain", "What was stained, and how."),
    "modality": ("Modality", "How it was imaged, such as light sheet or electron microscopy."),
    "date": ("Imaged", "A day, a month or a year: 2026-11-21, 2026-11 or 2026."),
    "licence": ("Licence", "An SPDX name such as CC-BY-4.0."),
    "people": ("People", "Who made the data; names separated by semicolons."),
    "tags": ("Tags", "Words to find it by, separated by semicolons."),
}
_LISTS = ("people", "tags")
_SUGGESTED = ("species", "stain", "modality", "licence")
_Text = Annotated[str, Field(max_length=5000)]


class Filled(BaseModel):
    """The form as it was filled in."""

    base: int = Field(ge=0, le=2**31 - 1)
    title: _Text = ""
    sample: _Text = ""
    species: _Text = ""
    stain: _Text = ""
    modality: _Text = ""
    date: _Text = ""
    licence: _Text = ""
    people: _Text = ""
    tags: _Text = ""
    note: str = Field("", max_length=200)

    def fields(self) -> dict[str, str]:
        """Return what was typed into the fields of the description."""
        return {name: str(getattr(self, name)).strip() for name in LABELS}


@router.get("/d/{dataset}/edit")
def edit_page(request: Request, gateway: GatewayHere, actor: Editor, dataset: str) -> Response:
    """Show the form of the description."""
    require_person(actor)
    now = current_description(gateway, dataset)
    return _form(request, gateway, actor, dataset, now=now, typed=as_texts(now.info))


@router.post("/d/{dataset}/edit")
def change(
    request: Request,
    gateway: GatewayHere,
    actor: Editor,
    dataset: str,
    filled: Annotated[Filled, Form()],
) -> Response:
    """Take the form in; what cannot be taken is shown again with the reason."""
    person = require_person(actor)
    typed = filled.fields()
    try:
        made = change_description(
            gateway, dataset, _parse(typed), base=filled.base, who=person, note=filled.note
        )
    except (ConflictError, FormatError) as error:
        now = current_description(gateway, dataset)
        return _form(request, gateway, actor, dataset, now=now, typed=typed, error=error)
    if made.version != filled.base:
        note_down(gateway, actor, "description changed", dataset, version=made.version)
    return _to(request, f"/d/{dataset}")


@router.get("/d/{dataset}/history")
def history(request: Request, gateway: GatewayHere, actor: Viewer, dataset: str) -> Response:
    """Show every version of the description, and what each changed."""
    versions = list_descriptions(gateway, dataset)
    earlier: list[Description | None] = [*versions[1:], None][: len(versions)]
    return page(
        request,
        "dataset_history.html",
        actor,
        dataset=dataset,
        title=(versions[0].info.title if versions else "") or dataset,
        versions=[
            (version, list(_changes(before, version)))
            for version, before in zip(versions, earlier, strict=True)
        ],
        may_edit=actor.person is not None and role_on(gateway, actor, dataset) >= Role.EDITOR,
    )


class Restored(BaseModel):
    """The form of a version to be restored."""

    base: int = Field(ge=0, le=2**31 - 1)
    version: int = Field(ge=1, le=2**31 - 1)


@router.post("/d/{dataset}/history")
def restore(
    request: Request,
    gateway: GatewayHere,
    actor: Editor,
    dataset: str,
    filled: Annotated[Restored, Form()],
) -> Response:
    """Say again what a version said."""
    person, of = require_person(actor), filled.version
    made = restore_description(gateway, dataset, of, base=filled.base, who=person)
    note_down(gateway, actor, "description restored", dataset, version=made.version, of=of)
    return _to(request, f"/d/{dataset}/history")


def as_texts(info: DatasetInfo) -> dict[str, str]:
    """Return a description as the form shows it."""
    values: Mapping[str, Any] = info.model_dump()
    return {
        name: "; ".join(values[name]) if name in _LISTS else str(values[name]) for name in LABELS
    }


def _parse(typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a description; names and tags come as lists."""
    lists = {
        name: [part.strip() for part in typed[name].split(";") if part.strip()] for name in _LISTS
    }
    return {**typed, **lists}


def _form(
    request: Request,
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    *,
    now: Description,
    typed: Mapping[str, str],
    error: GatewayError | None = None,
) -> Response:
    """Show the form; after a conflict beside what stands there now."""
    known = search(gateway, actor, Query(size=1)).facets
    there = as_texts(now.info)
    conflict = isinstance(error, ConflictError)
    return page(
        request,
        "dataset_edit.html",
        actor,
        status=200 if error is None else status_of(error),
        dataset=dataset,
        title=now.info.title or dataset,
        version=now.version,
        labels=LABELS,
        typed=typed,
        there={n: v for n, v in there.items() if v != typed[n]} if conflict else {},
        error=str(error) if error else "",
        conflict=conflict,
        suggested={n: [v.value for v in values] for n, values in known.items() if n in _SUGGESTED},
    )


def _changes(before: Description | None, after: Description) -> Iterator[tuple[str, str, str]]:
    """Yield label, old and new text of each field that a version changed."""
    old = as_texts(before.info if before else DatasetInfo())
    new = as_texts(after.info)
    for name, (label, _) in LABELS.items():
        if old[name] != new[name]:
            yield label, old[name], new[name]


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}", status_code=303)
