"""Keeps an owner to every dataset that has one: the last cannot vanish without a word."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, delete, insert, literal, select, union

from gateway.errors import ConflictError
from gateway.records.access_tables import GrantRow, MemberRow, PersonRow
from gateway.service.access.actor import Role

_SHOWN = 5


@contextmanager
def keeping_owners(connection: Connection) -> Iterator[None]:
    """Refuse the change made inside if a dataset has lost its last owner who may sign in.

    Raises:
        ConflictError: Names the datasets; the transaction is to be given up.
    """
    before = _owned(connection)
    yield
    lost = sorted(before - _owned(connection))
    if lost:
        shown = ", ".join(lost[:_SHOWN]) + (" and others" if len(lost) > _SHOWN else "")
        raise ConflictError(
            f"{len(lost)} dataset(s) would have no owner left: {shown}; make somebody else owner "
            "first, or name an heir"
        )


def pass_on(connection: Connection, person: str, heir: str) -> list[str]:
    """Make an heir owner of all that a person owns alone; return those datasets."""
    mine = select(GrantRow.dataset).where(
        GrantRow.subject == f"person:{person}", GrantRow.role == Role.OWNER.label
    )
    others = _owned(connection, but=person)
    alone = sorted(set(connection.scalars(mine)) - others)
    for dataset in alone:
        subject = f"person:{heir}"
        same = (GrantRow.dataset == dataset, GrantRow.subject == subject)
        connection.execute(delete(GrantRow).where(*same))
        values = {"dataset": dataset, "subject": subject, "role": Role.OWNER.label}
        connection.execute(insert(GrantRow).values(**values))
    return alone


def _owned(connection: Connection, but: str | None = None) -> set[str]:
    """Return the datasets with an owner who may sign in, directly or by a group."""
    there = (GrantRow.role == Role.OWNER.label, PersonRow.active, PersonRow.name != (but or ""))
    person = select(GrantRow.dataset).join(
        PersonRow, GrantRow.subject == literal("person:").concat(PersonRow.name)
    )
    group = (
        select(GrantRow.dataset)
        .join(MemberRow, GrantRow.subject == literal("group:").concat(MemberRow.group))
        .join(PersonRow, PersonRow.name == MemberRow.person)
    )
    both = union(person.where(*there), group.where(*there))
    return set(connection.scalars(both))
