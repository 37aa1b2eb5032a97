"""The rules of routes of annotation layers: the rights on a layer are those on its volume."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from gateway.service.access.actor import Actor, Role
from gateway.service.access.rights import require, require_part
from gateway.service.review.layers import volume_of_layer
from gateway.volumes.ref import parse_ref
from gateway.web.rules import OnDataset, gateway_of

Name = Annotated[str, Path(max_length=200)]
Number = Annotated[int, Path(ge=1, le=2**53)]
Version = Annotated[int, Query(ge=0, le=2**53)]
Box = Annotated[
    str | None,
    Query(max_length=300, description="z0:z1,y0:y1,x0:x1 in micrometres; all where left out"),
]


@dataclass(frozen=True, slots=True)
class OnLayer(OnDataset):
    """Who has a role on the volume that the `{layer}` of the path annotates may."""

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse a lesser role."""
        gateway, values = gateway_of(request), request.path_params
        ref = parse_ref(f"{values['dataset']}/{values['layer']}")
        volume = volume_of_layer(gateway, ref.dataset, ref.name)
        if volume is None:  # the route says that there is none, to those who may know
            require_part(gateway, actor, ref.dataset, self.role)
        else:
            require(gateway, actor, ref.dataset, self.role, volume)


LayerViewer = Annotated[Actor, Depends(OnLayer(Role.VIEWER))]
LayerAnnotator = Annotated[Actor, Depends(OnLayer(Role.ANNOTATOR))]
LayerEditor = Annotated[Actor, Depends(OnLayer(Role.EDITOR))]
