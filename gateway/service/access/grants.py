"""Roles on datasets: given, changed, taken away."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gateway.errors import CallError, NotFoundError
from gateway.records.access_tables import GrantRow, MemberRow, PersonRow
from gateway.records.database import reading
from gateway.service.access.actor import Actor, Role, parse_role
from gateway.service.access.audit import note
from gateway.service.access.changes import changing
from gateway.service.access.owners import keeping_owners
from gateway.service.access.rights import EVERYONE, require, require_person
from gateway.service.gateway import Gateway
from gateway.volumes.dataset import list_datasets
from gateway.volumes.ref import parse_dataset


@dataclass(frozen=True, slots=True)
class Candidates:
    """To whom a role can be given."""

    people: tuple[tuple[str, str], ...]
    """Name and name to show."""
    groups: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON values."""
        people = [{"name": name, "display": display} for name, display in self.people]
        return {"people": people, "groups": list(self.groups)}


def grant(gateway: Gateway, dataset: str, subject: str, role: Role) -> None:
    """Give a role on a dataset, in place of an earlier one, without asking who may.

    For what the gateway does by itself; people go through `give_role`.

    Args:
        gateway: The gateway.
        dataset: Name of the dataset.
        subject: `person:NAME`, `group:NAME` or `everyone`, who can only be viewer.
        role: The role; `Role.NONE` takes it away.

    Raises:
        CallError: The subject is malformed, or everyone is to be more than viewer.
    """
    _check(dataset, subject, role)
    with changing(gateway) as connection:
        _put(connection, dataset, subject, role)


def give_role(gateway: Gateway, actor: Actor, dataset: str, subject: str, role: Role) -> None:
    """Give a role on a dataset, in place of an earlier one.

    Args:
        gateway: The gateway.
        actor: An owner of the dataset.
        dataset: Name of the dataset.
        subject: `person:NAME`, `group:NAME` or `everyone`, who can only be viewer.
        role: The role; `Role.NONE` takes it away.

    Raises:
        ForbiddenError: The actor is no owner of it.
        CallError: The subject is malformed, or everyone is to be more than viewer.
        NotFoundError: There is no such person, group or dataset.
        ConflictError: The dataset would have no owner left.
    """
    require(gateway, actor, dataset, Role.OWNER)
    _check(dataset, subject, role)
    if dataset not in list_datasets(gateway.store):
        raise NotFoundError(f"there is no dataset {dataset!r} to give roles on")
    with changing(gateway) as connection, keeping_owners(connection):
        if role:
            _require_subject(connection, subject)
        before = _put(connection, dataset, subject, role)
        said = {"subject": subject, "role": role.label, "before": before.label}
        note(gateway, actor, "role given", dataset, into=connection, **said)


def own_new_dataset(gateway: Gateway, actor: Actor, dataset: str) -> bool:
    """Make whoever begins a dataset its owner; return whether that was done.

    Nothing is done where the dataset is there, or where somebody has a role on it already: then
    the roles decide.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: A share link asks.
        RefError: The name is not allowed.
    """
    person = require_person(actor)
    if parse_dataset(dataset) in list_datasets(gateway.store):
        return False
    with changing(gateway) as connection:
        any_role = select(GrantRow.subject).where(GrantRow.dataset == dataset).limit(1)
        if connection.scalar(any_role) is not None:
            return False
        _put(connection, dataset, f"person:{person}", Role.OWNER)
        note(gateway, actor, "dataset begun", dataset, into=connection)
    return True


def grants_of(gateway: Gateway, dataset: str) -> dict[str, Role]:
    """Return who has which role on a dataset, by subject."""
    statement = select(GrantRow.subject, GrantRow.role).where(GrantRow.dataset == dataset)
    with reading(gateway.database) as connection:
        rows = connection.execute(statement.order_by(GrantRow.subject))
        return {row.subject: parse_role(row.role) for row in rows}


def candidates(gateway: Gateway) -> Candidates:
    """Return the people who may sign in and the groups, for an owner to choose from."""
    people = select(PersonRow.name, PersonRow.display).where(PersonRow.active)
    groups = select(MemberRow.group).distinct().order_by(MemberRow.group)
    with reading(gateway.database) as connection:
        found = connection.execute(people.order_by(PersonRow.name))
        return Candidates(
            people=tuple((name, display) for name, display in found),
            groups=tuple(connection.scalars(groups)),
        )


def _check(dataset: str, subject: str, role: Role) -> None:
    parse_dataset(dataset)
    kind, _, name = subject.partition(":")
    odd = kind not in ("person", "group") or not name or not name.isprintable()
    if subject != EVERYONE and odd:
        raise CallError(
            f"the subject {subject[:140]!r} is none; expected person:NAME, group:NAME or everyone"
        )
    if subject == EVERYONE and role > Role.VIEWER:
        raise CallError(f"everyone cannot be {role.label} of {dataset}; at most viewer")


def _require_subject(connection: Connection, subject: str) -> None:
    kind, _, name = subject.partition(":")
    if kind == "person":
        known = select(PersonRow.name).where(PersonRow.name == name, PersonRow.active)
    elif kind == "group":
        known = select(MemberRow.group).where(MemberRow.group == name).limit(1)
    else:
        return
    if connection.scalar(known) is None:
        raise NotFoundError(
            f"there is no {kind} {name[:130]!r} who can be given a role; an administrator adds them"
        )


def _put(connection: Connection, dataset: str, subject: str, role: Role) -> Role:
    """Replace the role of a subject; return the one before."""
    same = (GrantRow.dataset == dataset, GrantRow.subject == subject)
    before = connection.scalar(select(GrantRow.role).where(*same))
    connection.execute(delete(GrantRow).where(*same))
    if role:
        values = {"dataset": dataset, "subject": subject, "role": role.label}
        connection.execute(insert(GrantRow).values(**values))
    return parse_role(before) if before else Role.NONE
