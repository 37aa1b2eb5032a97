"""The one place that decides: who may do what with a dataset. What nobody granted is denied."""

from sqlalchemy import select

from gateway.errors import ForbiddenError, SignInError
from gateway.records.access_tables import GrantRow
from gateway.records.database import reading
from gateway.service.access.actor import Actor, Role, parse_role
from gateway.service.gateway import Gateway

EVERYONE = "everyone"


def role_on(gateway: Gateway, actor: Actor, dataset: str, entry: str | None = None) -> Role:
    """Return the highest role of an actor on a dataset, or on one entry of it."""
    if actor.administrator:
        return Role.OWNER
    if actor.link is not None:
        opens = actor.link_dataset == dataset and actor.link_entry in (None, entry)
        return actor.link_role if opens else Role.NONE
    statement = select(GrantRow.role).where(
        GrantRow.dataset == dataset, GrantRow.subject.in_(subjects(actor))
    )
    with reading(gateway.database) as connection:
        roles = [parse_role(role) for role in connection.scalars(statement)]
    return max(roles, default=Role.NONE)


def require(
    gateway: Gateway, actor: Actor, dataset: str, role: Role, entry: str | None = None
) -> None:
    """Refuse unless the actor has a role on a dataset, or on one entry of it.

    Raises:
        SignInError: Nobody is signed in, and everyone may not.
        ForbiddenError: The actor has a lesser role, or none.
    """
    have = role_on(gateway, actor, dataset, entry)
    if have >= role:
        return
    what = f"{dataset}/{entry}" if entry else f"the dataset {dataset}"
    if actor.person is None and actor.link is None:
        raise SignInError(f"{what} is not open to everyone; sign in first")
    held = f"is {have.label} of" if have else "has no role on"
    raise ForbiddenError(
        f"{actor.name} {held} {what}; this needs {role.label}: ask one of its owners"
    )


def require_part(gateway: Gateway, actor: Actor, dataset: str, role: Role = Role.VIEWER) -> None:
    """Refuse unless the actor has a role on a dataset, or on anything in it.

    For what tells of a dataset and leaves out all that `visible_entries` does not name.

    Raises:
        SignInError: Nobody is signed in, and everyone may not.
        ForbiddenError: The actor has a lesser role, or none.
    """
    require(gateway, actor, dataset, role, actor.link_entry)


def visible_entries(actor: Actor) -> frozenset[str] | None:
    """Return the names an actor may know of in the datasets it may see; None means all.

    A share link may open one thing: nothing else of the dataset is shown, listed or named to it.
    """
    return None if actor.link_entry is None else frozenset({actor.link_entry})


def require_person(actor: Actor) -> str:
    """Return the name of the signed-in person.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: A share link asks.
    """
    if actor.person is not None:
        return actor.person
    if actor.link is not None:
        raise ForbiddenError("a share link may not do this; sign in as a person")
    raise SignInError("this needs a person who is signed in")


def refuse_notebook(actor: Actor) -> None:
    """Refuse the token of a notebook server: whatever runs there must not widen its own rights.

    Raises:
        ForbiddenError: One asks.
    """
    if actor.notebook:
        raise ForbiddenError(
            "the token of a notebook server may not do this; sign in with a browser, or make a "
            "token under Account"
        )


def require_administrator(actor: Actor) -> None:
    """Refuse unless the actor is an administrator.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: The actor is no administrator.
    """
    require_person(actor)
    refuse_notebook(actor)
    if not actor.administrator:
        raise ForbiddenError(f"{actor.name} is no administrator of this gateway")


def visible_datasets(gateway: Gateway, actor: Actor) -> frozenset[str] | None:
    """Return the datasets an actor may see; None means all, for an administrator."""
    if actor.administrator:
        return None
    if actor.link is not None:
        return frozenset({actor.link_dataset} if actor.link_dataset else ())
    statement = select(GrantRow.dataset).where(GrantRow.subject.in_(subjects(actor)))
    with reading(gateway.database) as connection:
        return frozenset(connection.scalars(statement))


def subjects(actor: Actor) -> list[str]:
    """Return the subjects of grants that hold for an actor."""
    person = [f"person:{actor.person}"] if actor.person else []
    return [EVERYONE, *person, *(f"group:{name}" for name in sorted(actor.groups))]
