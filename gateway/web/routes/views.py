"""Viewer states, saved views, the blank-viewer doctor."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.service.access.rights import visible_entries
from gateway.service.view import saved
from gateway.service.view.blank import diagnose
from gateway.service.view.compare import Mode, compare_state
from gateway.service.view.states import Rendering, viewer_state
from gateway.volumes.ref import Ref
from gateway.web.rules import Anyone, GatewayHere, PartViewer, Person, Viewer

router = APIRouter(prefix="/api", tags=["views"])


class NewView(BaseModel):
    """A state to be saved under a link of its own."""

    model_config = ConfigDict(extra="forbid")

    dataset: Annotated[str, Field(max_length=120, description="The dataset it shows.")]
    name: Annotated[str, Field(max_length=200, description="What people call it.")]
    state: Annotated[dict[str, Any], Field(description="A Neuroglancer state.")]


class NextVersion(BaseModel):
    """A state to be saved as the next version of a view."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, description="The version this state was made from.")]
    state: Annotated[dict[str, Any], Field(description="A Neuroglancer state.")]
    name: Annotated[str | None, Field(max_length=200, description="A new name, if any.")] = None


def data_base(request: Request) -> str:
    """Return what leads the URLs of data for whoever sends a request, share link included."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


@router.get("/state/{dataset}")
def dataset_state(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: PartViewer,
    dataset: str,
    entry: Annotated[list[str] | None, Query(max_length=200)] = None,
    rendering: Rendering = "off",
) -> dict[str, Any]:
    """Return a Neuroglancer state of all layers of a dataset, or of some of them."""
    return viewer_state(
        gateway,
        dataset,
        data_base(request),
        entry or (),
        rendering=rendering,
        visible=visible_entries(actor),
    )


@router.get("/state/{dataset}/compare")
def compared_state(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: PartViewer,
    dataset: str,
    first: Annotated[str, Query(max_length=200)],
    second: Annotated[str, Query(max_length=200)],
    mode: Mode = "blend",
    first_channel: Annotated[int, Query(ge=0, le=10_000)] = 0,
    second_channel: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> dict[str, Any]:
    """Return a Neuroglancer state of two volumes against each other."""
    return compare_state(
        gateway,
        dataset,
        data_base(request),
        first,
        second,
        mode=mode,
        channels=(first_channel, second_channel),
        visible=visible_entries(actor),
    )


@router.get("/state/{dataset}/of/{entry}")
def entry_state(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: str,
    rendering: Rendering = "off",
) -> dict[str, Any]:
    """Return a Neuroglancer state of one entry."""
    del actor
    return viewer_state(gateway, dataset, data_base(request), (entry,), rendering=rendering)


@router.get("/views/of/{dataset}")
def views_of(gateway: GatewayHere, actor: Viewer, dataset: str) -> list[dict[str, Any]]:
    """List the saved views of a dataset, the last made first."""
    del actor
    return saved.list_views(gateway, dataset)


@router.post("/views", status_code=201)
def create_view(
    request: Request, gateway: GatewayHere, actor: Person, new: NewView
) -> dict[str, Any]:
    """Save a view under a short link; the answer names it."""
    base = data_base(request)
    made = saved.create_view(gateway, actor, new.dataset, new.state, name=new.name, base=base)
    return made.to_json()


@router.get("/views/{view}")
def get_view(
    *,
    request: Request,
    gateway: GatewayHere,
    actor: Anyone,
    view: str,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> dict[str, Any]:
    """Return a saved view with its state, the last version unless another is asked for."""
    return saved.get_view(gateway, actor, view, version).to_json(data_base(request))


@router.put("/views/{view}")
def save_view(
    *, request: Request, gateway: GatewayHere, actor: Person, view: str, change: NextVersion
) -> dict[str, Any]:
    """Save the next version of a view; 409 where somebody saved one meanwhile."""
    kept = saved.save_view(
        gateway,
        actor,
        view,
        change.state,
        version=change.version,
        base=data_base(request),
        name=change.name,
    )
    return kept.to_json()


@router.get("/views/{view}/versions")
def view_versions(gateway: GatewayHere, actor: Anyone, view: str) -> list[dict[str, Any]]:
    """List the versions of a view, the last first."""
    return saved.list_versions(gateway, actor, view)


@router.delete("/views/{view}", status_code=204)
def delete_view(gateway: GatewayHere, actor: Person, view: str) -> None:
    """Remove a view with all its versions."""
    saved.delete_view(gateway, actor, view)


@router.get("/doctor/{dataset}/{entry}")
def doctor(
    gateway: GatewayHere,
    actor: Viewer,
    dataset: str,
    entry: str,
    status: Annotated[
        int | None,
        Query(ge=0, le=599, description="What the viewer was answered; 0 for nothing at all."),
    ] = None,
) -> dict[str, Any]:
    """Say why a viewer may show nothing of an entry, the surest reasons first."""
    del actor
    found = diagnose(gateway, Ref(dataset, entry), status)
    return {"ref": f"{dataset}/{entry}", "findings": [finding.to_json() for finding in found]}
