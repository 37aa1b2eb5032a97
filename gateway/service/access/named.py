"""A person as an actor where no session of theirs asks: for a job that waited, for a pass."""

from sqlalchemy import select

from gateway.errors import ForbiddenError
from gateway.records.access_tables import MemberRow, PersonRow
from gateway.records.database import reading
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway


def actor_named(gateway: Gateway, person: str) -> Actor:
    """Return a person as an actor, with the groups and rights of this moment.

    Raises:
        ForbiddenError: The person is gone or may no longer sign in.
    """
    about = select(PersonRow.administrator, PersonRow.active).where(PersonRow.name == person)
    groups = select(MemberRow.group).where(MemberRow.person == person)
    with reading(gateway.database) as connection:
        row = connection.execute(about).one_or_none()
        if row is None or not row.active:
            raise ForbiddenError(
                f"{person} may no longer sign in, so nothing is done in their name; "
                "ask an administrator"
            )
        return Actor(
            person=person,
            administrator=row.administrator,
            groups=frozenset(connection.scalars(groups).all()),
        )
