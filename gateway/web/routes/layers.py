"""Annotation layers: list, make, look into, change.

The terms: an *object* is `{"id", "shape": point|line|box|polygon, "points": [[z,y,x], …], "class",
"status": undecided|accepted|rejected, "comment", "properties": {…}, "version"}`, positions in
micrometres. Every batch of edits makes the next *version* of its layer. Reading needs the role
viewer on the layer's volume, editing annotator, making, importing and deleting layers editor.

- `GET  /api/layers/{dataset}` and `POST` (make one)
- `GET  /api/layers/{dataset}/{layer}`, `PATCH` (classes), `DELETE`
- `GET  …/objects?box=&limit=&after=&version=`, `GET …/objects/{id}`, `GET …/counts?box=`
- `POST …/edits`, `GET …/edits?since=`, `GET …/events?since=` (server-sent events)
- `POST …/undo`, `POST …/redo`, `GET …/versions`, `POST …/restore`
- `GET  …/queues`, `POST …/queues`, `GET …/queues/{queue}`, `DELETE …/queues/{queue}`,
  `POST …/queues/{queue}/next`, `POST …/queues/{queue}/decisions`, `POST …/queues/{queue}/release`
- `GET  …/export?format=json|csv|hdf5|parquet&version=`, `POST …/import?format=`
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.service.review.layers import (
    change_classes,
    describe_layer,
    list_layers,
    make_layer,
    remove_layer,
    show_layer,
)
from gateway.service.review.versions import (
    MOST_OBJECTS,
    counts_in_box,
    objects_in_box,
    show_object,
)
from gateway.web.layer_rules import Box, LayerEditor, LayerViewer, Name, Number
from gateway.web.rules import Editor, GatewayHere, PartViewer

router = APIRouter(prefix="/api/layers", tags=["layers"])


class ClassBody(BaseModel):
    """A class that objects can have."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=60)
    color: str | None = Field(default=None, pattern=r"^#?[0-9a-fA-F]{6}$")
    key: int | None = Field(default=None, ge=1, le=9)

    def given(self) -> dict[str, Any]:
        """Return what was sent, so that the rest is chosen."""
        return self.model_dump(exclude_unset=True)


class LayerBody(BaseModel):
    """A layer to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=120)
    volume: str = Field(max_length=120, description="Image or labels of the dataset.")
    classes: list[ClassBody | str] = Field(default=[], max_length=200)
    points: str | None = Field(
        default=None, max_length=120, description="Points table that gives the first objects."
    )
    label: str | None = Field(default=None, max_length=60, description="Class these objects get.")
    block_um: float | None = Field(default=None, gt=0, le=1e9)


class ClassesBody(BaseModel):
    """Classes in place of those there are."""

    model_config = ConfigDict(extra="forbid")

    classes: list[ClassBody | str] = Field(max_length=200)
    base: int = Field(ge=0, le=2**53, description="Version of the layer that was seen.")


@router.get("/{dataset}")
def layers(gateway: GatewayHere, actor: PartViewer, dataset: Name) -> dict[str, Any]:
    """List the layers of a dataset."""
    return {"layers": list_layers(gateway, actor, dataset)}


@router.post("/{dataset}", status_code=201)
def make(gateway: GatewayHere, actor: Editor, dataset: Name, body: LayerBody) -> dict[str, Any]:
    """Make a layer of a volume, empty or from a points table."""
    return make_layer(
        gateway,
        actor,
        dataset,
        body.name,
        volume=body.volume,
        classes=_given(body.classes),
        points=body.points,
        label=body.label,
        block_um=body.block_um,
    )


@router.get("/{dataset}/{layer}")
def show(gateway: GatewayHere, actor: LayerViewer, dataset: Name, layer: Name) -> dict[str, Any]:
    """Tell of a layer: volume, classes, columns, bounds, version, count."""
    del actor
    return describe_layer(show_layer(gateway, dataset, layer))


@router.patch("/{dataset}/{layer}")
def change(
    gateway: GatewayHere, actor: LayerEditor, dataset: Name, layer: Name, body: ClassesBody
) -> dict[str, Any]:
    """Change the classes of a layer."""
    classes = _given(body.classes)
    return change_classes(gateway, actor, dataset, layer, classes=classes, base=body.base)


@router.delete("/{dataset}/{layer}", status_code=204)
def remove(gateway: GatewayHere, actor: LayerEditor, dataset: Name, layer: Name) -> None:
    """Delete a layer with all its edits."""
    remove_layer(gateway, actor, dataset, layer)


@router.get("/{dataset}/{layer}/objects")
def objects(
    *,
    gateway: GatewayHere,
    actor: LayerViewer,
    dataset: Name,
    layer: Name,
    box: Box = None,
    limit: Annotated[int, Query(ge=1, le=MOST_OBJECTS)] = 5000,
    after: Annotated[str | None, Query(max_length=60, description="`next` of a page.")] = None,
    version: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> dict[str, Any]:
    """Return a page of the objects that reach into a box, now or at a version.

    The answer is `{"version", "objects", "next"}`; `next` is null on the last page.
    """
    del actor
    return objects_in_box(gateway, dataset, layer, box, limit=limit, after=after, version=version)


@router.get("/{dataset}/{layer}/objects/{number}")
def one_object(
    gateway: GatewayHere, actor: LayerViewer, dataset: Name, layer: Name, number: Number
) -> dict[str, Any]:
    """Return an object and every edit of it: `{"object", "history"}`."""
    del actor
    return show_object(gateway, dataset, layer, number)


@router.get("/{dataset}/{layer}/counts")
def counts(
    gateway: GatewayHere, actor: LayerViewer, dataset: Name, layer: Name, box: Box = None
) -> dict[str, Any]:
    """Return how many objects are where: `{"edge_um", "cells": [[z, y, x, count], …]}`."""
    del actor
    return counts_in_box(gateway, dataset, layer, box)


def _given(classes: list[ClassBody | str]) -> list[dict[str, Any] | str]:
    return [each if isinstance(each, str) else each.given() for each in classes]
