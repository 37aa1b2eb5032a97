"""Groups of people: a group is there as long as it has members."""

import re

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from gateway.errors import CallError, NotFoundError
from gateway.records.access_tables import MemberRow, PersonRow
from gateway.records.database import reading
from gateway.service.access.actor import Actor
from gateway.service.access.audit import note
from gateway.service.access.changes import changing
from gateway.service.access.owners import keeping_owners
from gateway.service.access.rights import require_administrator
from gateway.service.gateway import Gateway

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+\-/]{0,119}\Z")


def check_group(name: str) -> str:
    """Check the name of a group and return it.

    Raises:
        CallError: It is empty, too long, or has an odd character.
    """
    if not _NAME.match(name):
        raise CallError(
            f"the group {name[:130]!r} is not allowed; use letters, digits and . _ - + @ /, "
            "starting with a letter or digit, at most 120 characters"
        )
    return name


def list_groups(gateway: Gateway, actor: Actor) -> dict[str, list[str]]:
    """Return the members of every group, by name.

    Raises:
        ForbiddenError: The actor is no administrator.
    """
    require_administrator(actor)
    groups: dict[str, list[str]] = {}
    statement = select(MemberRow.group, MemberRow.person)
    with reading(gateway.database) as connection:
        for group, person in connection.execute(
            statement.order_by(MemberRow.group, MemberRow.person)
        ):
            groups.setdefault(group, []).append(person)
    return groups


def add_member(gateway: Gateway, actor: Actor, group: str, person: str) -> None:
    """Put a person into a group; nothing happens where they are in it.

    Raises:
        ForbiddenError: The actor is no administrator.
        NotFoundError: There is no such person.
        CallError: The name of the group is not allowed.
    """
    require_administrator(actor)
    check_group(group)
    with changing(gateway) as connection:
        known = connection.scalar(select(PersonRow.name).where(PersonRow.name == person))
        if known is None:
            raise NotFoundError(f"there is no person {person[:130]!r}; add them first")
        # put in by hand: what a provider said of it does not count any more
        connection.execute(delete(MemberRow).where(*_same(group, person)))
        values = {"group": group, "person": person, "source": "local"}
        connection.execute(insert(MemberRow).values(**values))
        note(gateway, actor, "member added", into=connection, group=group, person=person)


def remove_member(gateway: Gateway, actor: Actor, group: str, person: str) -> None:
    """Take a person out of a group.

    Raises:
        ForbiddenError: The actor is no administrator.
        NotFoundError: They are not in it.
        ConflictError: Datasets that the group owns would have no owner left.
    """
    require_administrator(actor)
    with changing(gateway) as connection, keeping_owners(connection):
        if not connection.execute(delete(MemberRow).where(*_same(group, person))).rowcount:
            raise NotFoundError(f"{person[:130]!r} is not in the group {group[:130]!r}")
        note(gateway, actor, "member removed", into=connection, group=group, person=person)


def follow_provider(
    connection: Connection, person: str, groups: frozenset[str], source: str
) -> None:
    """Make a person's groups those that an identity provider names, beside the local ones."""
    mine = select(MemberRow.group, MemberRow.source).where(MemberRow.person == person)
    have = {row.group_name: row.source for row in connection.execute(mine)}
    for group, of in have.items():
        if of == source and group not in groups:
            connection.execute(delete(MemberRow).where(*_same(group, person)))
    for group in sorted(groups - set(have)):
        values = {"group": group, "person": person, "source": source}
        connection.execute(insert(MemberRow).values(**values))


def _same(group: str, person: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (MemberRow.group == group, MemberRow.person == person)
