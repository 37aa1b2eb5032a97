"""The rule of every route: who may call it. A route without one does not pass the tests."""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated, Any

from fastapi import Depends, Request

from gateway.service.access.actor import NOBODY, Actor, Role
from gateway.service.access.audit import note_opened
from gateway.service.access.rights import (
    require,
    require_administrator,
    require_part,
    require_person,
)
from gateway.service.gateway import Gateway
from gateway.volumes.ref import parse_dataset, parse_ref
from gateway.web.identity import identify
from gateway.web.observing import SEEN

_LOOPBACK = ("127.0.0.1", "::1")
_GLANCE = "/thumbnail.png"


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that this service serves."""
    gateway: Gateway = request.app.state.gateway
    return gateway


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a route."""

    def __call__(self, request: Request) -> Actor:
        """Return who asks, or refuse."""
        seen: dict[str, str] = request.scope.get(SEEN, {})
        seen["route"] = request.scope["route"].path
        actor = identify(gateway_of(request), request)
        seen["actor"] = actor.name
        self.check(request, actor)
        return actor

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse an actor who may not; raises an error of the access family."""
        raise NotImplementedError


class Open(Rule):
    """Everyone may; what is answered must not depend on private data, or be filtered by actor."""

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse nobody."""


class SignedIn(Rule):
    """Every person who is signed in may."""

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse those who are not."""
        del request
        require_person(actor)


class Administrators(Rule):
    """Administrators may."""

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse everyone else."""
        del request
        require_administrator(actor)


class Watchers(Rule):
    """What gathers metrics may: on this machine, with the token of the settings, administrators."""

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse everyone else."""
        settings = gateway_of(request).settings
        here = request.client is not None and request.client.host in _LOOPBACK
        # behind a proxy on this machine everybody seems to be on it
        proxied = settings.base_url is not None or any(
            name in request.headers for name in ("forwarded", "x-forwarded-for")
        )
        if proxied or not here:
            require_administrator(actor)

    def __call__(self, request: Request) -> Actor:
        """Return who asks, or refuse; the token of the settings is nobody's session."""
        token = gateway_of(request).settings.metrics_token
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token is not None and compare_digest(given.encode(), token.get_secret_value().encode()):
            request.scope.get(SEEN, {})["route"] = request.scope["route"].path
            return NOBODY
        return Rule.__call__(self, request)


@dataclass(frozen=True, slots=True)
class OnDataset(Rule):
    """Who has a role on the `{dataset}` of the path may; on its `{entry}` where there is one."""

    role: Role

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse a lesser role."""
        values: dict[str, Any] = request.path_params
        dataset, entry = values["dataset"], values.get("entry")
        if entry is None:
            parse_dataset(dataset)
        else:
            parse_ref(f"{dataset}/{entry}")
        require(gateway_of(request), actor, dataset, self.role, entry)
        self.note(request, actor, dataset)

    def note(self, request: Request, actor: Actor, dataset: str) -> None:
        """Write down that the dataset was opened; the pictures of a catalogue do not open it."""
        if not request.url.path.endswith(_GLANCE):
            note_opened(gateway_of(request), actor, dataset)


@dataclass(frozen=True, slots=True)
class OnPartOfDataset(OnDataset):
    """Who has a role on the `{dataset}` of the path or on anything in it may.

    For routes that leave out what `rights.visible_entries(actor)` does not name.
    """

    def check(self, request: Request, actor: Actor) -> None:
        """Refuse a lesser role."""
        dataset = parse_dataset(request.path_params["dataset"])
        require_part(gateway_of(request), actor, dataset, self.role)
        self.note(request, actor, dataset)


Watcher = Annotated[Actor, Depends(Watchers())]
GatewayHere = Annotated[Gateway, Depends(gateway_of)]
Anyone = Annotated[Actor, Depends(Open())]
Person = Annotated[Actor, Depends(SignedIn())]
Administrator = Annotated[Actor, Depends(Administrators())]
Viewer = Annotated[Actor, Depends(OnDataset(Role.VIEWER))]
PartViewer = Annotated[Actor, Depends(OnPartOfDataset(Role.VIEWER))]
PartAnnotator = Annotated[Actor, Depends(OnPartOfDataset(Role.ANNOTATOR))]
Annotator = Annotated[Actor, Depends(OnDataset(Role.ANNOTATOR))]
Editor = Annotated[Actor, Depends(OnDataset(Role.EDITOR))]
Owner = Annotated[Actor, Depends(OnDataset(Role.OWNER))]
