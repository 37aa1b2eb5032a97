"""Queues of annotation layers: made, handed out, decided, counted."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from gateway.service.review.queues import (
    decide,
    list_queues,
    make_queue,
    next_object,
    release,
    remove_queue,
)
from gateway.service.review.tempo import show_queue
from gateway.web.layer_rules import LayerAnnotator, LayerEditor, LayerViewer, Name
from gateway.web.rules import GatewayHere

router = APIRouter(prefix="/api/layers/{dataset}/{layer}/queues", tags=["layers"])
QueueNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
_CLIENT = Field(
    default=None,
    max_length=60,
    pattern=r"^[\x21-\x7e]+$",
    description="A random name of the page, which tells pages of one person apart.",
)


class QueueBody(BaseModel):
    """A queue to be made."""

    model_config = ConfigDict(extra="forbid")

    column: str | None = Field(
        default=None, max_length=200, description="A property, id, z_um, y_um or x_um."
    )
    descending: bool = False
    seed: int | None = Field(default=None, ge=0, le=2**31, description="Random order by a seed.")
    status: str | None = Field(default="undecided", max_length=10)
    label: str | None = Field(default=None, max_length=60, description="Only this class.")


class ClientBody(BaseModel):
    """Which page asks."""

    model_config = ConfigDict(extra="forbid")

    client: str | None = _CLIENT


class DecisionBody(BaseModel):
    """What was decided on the object in hand."""

    model_config = ConfigDict(extra="forbid")

    object: int = Field(ge=1, le=2**53)
    base: int = Field(ge=0, le=2**53)
    edits: list[dict[str, Any]] = Field(default=[], description="As POST …/edits takes them.")
    seconds: float | None = Field(default=None, ge=0, le=86_400)
    skip: bool = False
    key: str | None = Field(default=None, max_length=100)
    client: str | None = _CLIENT


@router.get("")
def queues(gateway: GatewayHere, actor: LayerViewer, dataset: Name, layer: Name) -> dict[str, Any]:
    """List the queues of a layer, the latest first, with their counts."""
    del actor
    return {"queues": list_queues(gateway, dataset, layer)}


@router.post("", status_code=201)
def make(
    gateway: GatewayHere, actor: LayerAnnotator, dataset: Name, layer: Name, body: QueueBody
) -> dict[str, Any]:
    """Make a queue of the objects there are now, in the order of a column or random."""
    return make_queue(gateway, actor, dataset, layer, **body.model_dump())


@router.get("/{queue}")
def show(
    gateway: GatewayHere, actor: LayerViewer, dataset: Name, layer: Name, queue: QueueNumber
) -> dict[str, Any]:
    """Tell of a queue: counts, seconds per decision in total and of each person."""
    del actor
    return show_queue(gateway, dataset, layer, queue)


@router.delete("/{queue}", status_code=204)
def remove(
    gateway: GatewayHere, actor: LayerEditor, dataset: Name, layer: Name, queue: QueueNumber
) -> None:
    """Delete a queue; what was decided in it stays."""
    del actor
    remove_queue(gateway, dataset, layer, queue)


@router.post("/{queue}/next")
def hand_out(
    *,
    gateway: GatewayHere,
    actor: LayerAnnotator,
    dataset: Name,
    layer: Name,
    queue: QueueNumber,
    body: ClientBody,
) -> dict[str, Any]:
    """Hand out the next object, for five minutes; asked again, the one in hand.

    The answer is `{"object", "position", "until", "version", "queue"}`; `object` is null where
    none is free, and `queue.out` then says how many are with others.
    """
    return next_object(gateway, actor, dataset, layer, queue, client=body.client)


@router.post("/{queue}/decisions")
def settle(
    *,
    gateway: GatewayHere,
    actor: LayerAnnotator,
    dataset: Name,
    layer: Name,
    queue: QueueNumber,
    body: DecisionBody,
) -> dict[str, Any]:
    """Decide on the object in hand: apply edits, count it done (or skipped), hand out the next.

    The answer is that of `POST …/edits`, `decided`, and `next` as `…/next` answers it.
    """
    values = body.model_dump(exclude={"object"})
    return decide(gateway, actor, dataset, layer, queue, object_id=body.object, **values)


@router.post("/{queue}/release", status_code=204)
def give_back(
    *,
    gateway: GatewayHere,
    actor: LayerAnnotator,
    dataset: Name,
    layer: Name,
    queue: QueueNumber,
    body: ClientBody,
) -> None:
    """Give back the object in hand, so that others get it at once."""
    release(gateway, actor, dataset, layer, queue, client=body.client)
