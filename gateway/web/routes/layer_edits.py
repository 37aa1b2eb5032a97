"""Edits of annotation layers: sent, followed, undone, restored."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import GatewayError
from gateway.service.gateway import Gateway
from gateway.service.review.edits import apply_edits, edits_since
from gateway.service.review.layers import show_layer
from gateway.service.review.undoing import redo, undo
from gateway.service.review.versions import list_versions, restore
from gateway.web.layer_rules import LayerAnnotator, LayerViewer, Name, Version
from gateway.web.rules import GatewayHere

router = APIRouter(prefix="/api/layers/{dataset}/{layer}", tags=["layers"])
_LOOK_S, _QUIET_S = 0.5, 15.0
_KEY = Field(
    default=None,
    max_length=100,
    description="Names the batch: sent twice under one key, it is applied once.",
)


class EditsBody(BaseModel):
    """A batch of edits.

    Each is `{"op": "create", "shape", "points", "class", "status", "comment", "properties"}`,
    `{"op": "set", "id", …}` with the fields that change, or `{"op": "delete", "id"}`. A property
    set to null is taken away.
    """

    model_config = ConfigDict(extra="forbid")

    base: int = Field(ge=0, le=2**53, description="The version that the sender has seen.")
    key: str | None = _KEY
    edits: list[dict[str, Any]]


class KeyBody(BaseModel):
    """What names a step."""

    model_config = ConfigDict(extra="forbid")

    key: str | None = _KEY


class RestoreBody(BaseModel):
    """A version to go back to."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=0, le=2**53)
    base: int = Field(ge=0, le=2**53, description="The latest version that was seen.")
    key: str | None = _KEY


@router.post("/edits")
def edit(
    gateway: GatewayHere, actor: LayerAnnotator, dataset: Name, layer: Name, body: EditsBody
) -> dict[str, Any]:
    """Apply a batch of edits; what is answered is on the disk.

    The answer is `{"version", "created": [id, …], "applied", "conflicts", "missed"}`. An edit of a
    field that somebody changed since `base` is not applied but told in `conflicts`: `{"edit": its
    place in the batch, "id", "fields", "yours", "theirs", "by", "at", "version"}`; `theirs` is the
    object as it is, null where it was deleted. `missed` has the batches of others between `base`
    and `version`, as `GET …/edits` tells them: having taken them in, go on with `version` as base.
    It is null where they are too many: load the box again.
    """
    return apply_edits(
        gateway, actor, dataset, layer, base=body.base, edits=body.edits, key=body.key
    )


@router.get("/edits")
def follow(
    *,
    gateway: GatewayHere,
    actor: LayerViewer,
    dataset: Name,
    layer: Name,
    since: Version,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> dict[str, Any]:
    """Return the batches after a version, to catch up: `{"version", "batches", "more", "reload"}`.

    A batch is `{"version", "base", "person", "at", "action", "target", "count", "edits": [{"id",
    "before", "after"}], "reload"}`; `before` null made the object, `after` null deleted it, else
    they hold the changed fields. Where `reload` is true, load the box again.
    """
    del actor
    return edits_since(gateway, dataset, layer, since, limit)


@router.get("/events", response_class=StreamingResponse)
def events(
    *,
    gateway: GatewayHere,
    actor: LayerViewer,
    dataset: Name,
    layer: Name,
    since: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """Send the batches after a version as they come, as server-sent events.

    Each message `batch` is a batch as `GET …/edits` tells it; its id is the version, from which a
    browser goes on by itself. Without `since` it begins now.
    """
    del actor
    known = show_layer(gateway, dataset, layer).version
    place = int(last_event_id) if last_event_id.isdecimal() else since
    place = known if place is None else min(place, known)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _events(gateway, dataset, layer, place)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.post("/undo")
def take_back(
    gateway: GatewayHere, actor: LayerAnnotator, dataset: Name, layer: Name, body: KeyBody
) -> dict[str, Any]:
    """Undo one's own last batch that still stands.

    The answer is that of `POST …/edits` and `target`, the version undone, null where there was
    nothing to undo. Where others changed the objects since, `conflicts` tells, and nothing is
    undone.
    """
    return undo(gateway, actor, dataset, layer, body.key)


@router.post("/redo")
def do_again(
    gateway: GatewayHere, actor: LayerAnnotator, dataset: Name, layer: Name, body: KeyBody
) -> dict[str, Any]:
    """Do again what one undid last; see undo."""
    return redo(gateway, actor, dataset, layer, body.key)


@router.get("/versions")
def versions(
    *,
    gateway: GatewayHere,
    actor: LayerViewer,
    dataset: Name,
    layer: Name,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the batches that made the versions, the latest first: who, when, what, how many."""
    del actor
    return list_versions(gateway, dataset, layer, before=before, limit=limit)


@router.post("/restore")
def go_back(
    gateway: GatewayHere, actor: LayerAnnotator, dataset: Name, layer: Name, body: RestoreBody
) -> dict[str, Any]:
    """Make the layer what it was at a version, by a new batch; `base` must be the latest."""
    return restore(
        gateway, actor, dataset, layer, version=body.version, base=body.base, key=body.key
    )


async def _events(gateway: Gateway, dataset: str, layer: str, place: int) -> AsyncIterator[str]:
    quiet = 0.0
    yield "retry: 1000\n\n"
    while True:
        try:
            told = await asyncio.to_thread(edits_since, gateway, dataset, layer, place)
        except GatewayError as error:
            yield f"event: problem\ndata: {json.dumps({'message': str(error)})}\n\n"
            return
        for batch in told["batches"]:
            yield f"event: batch\nid: {batch['version']}\ndata: {json.dumps(batch)}\n\n"
        if told["reload"]:
            document = json.dumps({"version": told["version"]})
            yield f"event: reload\nid: {told['version']}\ndata: {document}\n\n"
        quiet = 0.0 if told["version"] != place else quiet + _LOOK_S
        place = told["batches"][-1]["version"] if told["batches"] else told["version"]
        if quiet >= _QUIET_S:
            quiet = 0.0
            yield ": still here\n\n"
        if not told["more"]:
            await asyncio.sleep(_LOOK_S)
