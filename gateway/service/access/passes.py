"""Passes: with one, a frame in somebody's notebook sees what that person may see, for hours.

A pass stands in the path of an address, as the token of a share link does, for a browser frame
sends no token of its own. It shares nothing: its holder sees one dataset, as long as the person
who asked for it may.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from gateway.errors import CallError, ForbiddenError
from gateway.service.access.actor import Actor, Role
from gateway.service.access.audit import note as audit_note
from gateway.service.access.keys import secret_of
from gateway.service.access.links import link_actor
from gateway.service.access.named import actor_named
from gateway.service.access.rights import require, require_person
from gateway.service.gateway import Gateway
from gateway.volumes.ref import parse_dataset

USUAL_LIFE = timedelta(hours=12)
LONGEST_LIFE = timedelta(hours=24)
_MARK = "p."
"""Begins every pass; no token of a share link begins so."""
_LONGEST = 600
_REFUSAL = "this view has ended or was never begun here; run the notebook's cell again"


@dataclass(frozen=True, slots=True)
class Pass:
    """What was lent."""

    token: str
    expires: datetime


def make_pass(gateway: Gateway, actor: Actor, dataset: str, life: timedelta = USUAL_LIFE) -> Pass:
    """Return a pass for a dataset that the person who asks may see.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: They may not see the dataset, or a share link asks.
        CallError: The life is out of bounds.
    """
    person = require_person(actor)
    require(gateway, actor, parse_dataset(dataset), Role.VIEWER)
    if not timedelta(seconds=1) <= life <= LONGEST_LIFE:
        hours = LONGEST_LIFE // timedelta(hours=1)
        raise CallError(f"a pass cannot hold for {life}; expected at most {hours} hours")
    expires = datetime.now(UTC) + life
    token = str(_signer(gateway).dumps([person, dataset, round(expires.timestamp(), 3)]))
    audit_note(gateway, actor, "pass made", dataset, expires=expires.isoformat(timespec="seconds"))
    return Pass(f"{_MARK}{token}", expires)


def path_actor(gateway: Gateway, token: str) -> Actor:
    """Return the actor of a token in a path: of a share link, or of a pass.

    Raises:
        ForbiddenError: The token was not made here, has ended, or its person may not see the
            dataset any more. The message does not repeat the token.
    """
    return _pass_actor(gateway, token) if token.startswith(_MARK) else link_actor(gateway, token)


def _pass_actor(gateway: Gateway, token: str) -> Actor:
    try:
        said = _signer(gateway).loads(token[len(_MARK) :]) if len(token) <= _LONGEST else None
        person, dataset, until = said or ("", "", 0.0)
    except BadSignature as error:
        raise ForbiddenError(_REFUSAL) from error
    if until <= datetime.now(UTC).timestamp():
        raise ForbiddenError(_REFUSAL)
    require(gateway, actor_named(gateway, person), dataset, Role.VIEWER)
    return Actor(link=f"pass of {person}", link_dataset=dataset, link_role=Role.VIEWER, until=until)


def _signer(gateway: Gateway) -> URLSafeSerializer:
    return URLSafeSerializer(secret_of(gateway), salt="gateway.pass")
