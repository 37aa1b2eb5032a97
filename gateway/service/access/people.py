"""The people and groups of a gateway."""

import re
from datetime import UTC, datetime

from sqlalchemy import insert, select

from gateway.errors import CallError
from gateway.records.access_tables import PersonRow
from gateway.service.access.changes import changing
from gateway.service.gateway import Gateway

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+\-]{0,119}\Z")


def check_person(name: str) -> str:
    """Check the name of a person and return it.

    Raises:
        CallError: It is empty, too long, or has an odd character.
    """
    if not _NAME.match(name):
        raise CallError(
            f"the name {name!r} is not allowed; use letters, digits and . _ - + @, starting "
            "with a letter or digit, at most 120 characters"
        )
    return name


def ensure_person(gateway: Gateway, name: str, *, administrator: bool = False) -> str:
    """Add a person unless there is one of that name; return the name."""
    check_person(name)
    with changing(gateway) as connection:
        known = connection.scalar(select(PersonRow.name).where(PersonRow.name == name))
        if known is None:
            values = {
                "name": name,
                "administrator": administrator,
                "active": True,
                "provider": "local",
            }
            now = datetime.now(UTC)
            connection.execute(insert(PersonRow).values(**values, display=name, made=now))
    return name
