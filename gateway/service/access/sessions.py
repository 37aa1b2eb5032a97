"""Sessions of browsers and tokens of programs: a secret outside, its hash in the database."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import insert, select, update

from gateway.errors import SignInError
from gateway.records.access_tables import MemberRow, PersonRow, SessionRow
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.access.changes import changing
from gateway.service.gateway import Gateway

BROWSER_LIFE = timedelta(days=14)


def open_session(
    gateway: Gateway,
    person: str,
    *,
    kind: Literal["browser", "token"] = "browser",
    note: str = "",
    life: timedelta = BROWSER_LIFE,
) -> str:
    """Begin a session and return its secret, which is shown once and kept nowhere."""
    secret = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    values = {"id": _hash(secret), "person": person, "kind": kind, "note": note}
    with writing(gateway.database) as connection:
        connection.execute(insert(SessionRow).values(**values, made=now, expires=now + life))
    return secret


def end_session(gateway: Gateway, secret: str) -> None:
    """End a session; nothing happens where it has ended."""
    ended = update(SessionRow).where(SessionRow.id == _hash(secret), SessionRow.ended.is_(None))
    with changing(gateway) as connection:
        connection.execute(ended.values(ended=datetime.now(UTC)))


def actor_of(gateway: Gateway, secret: str) -> Actor:
    """Return whose session a secret is.

    Raises:
        SignInError: There is no such session, it has ended, or its person may not sign in.
    """
    found = select(SessionRow.expires, PersonRow.name, PersonRow.administrator, PersonRow.active)
    found = found.join(PersonRow, PersonRow.name == SessionRow.person)
    found = found.where(SessionRow.id == _hash(secret), SessionRow.ended.is_(None))
    with reading(gateway.database) as connection:
        row = connection.execute(found).one_or_none()
        if row is None or row.expires <= datetime.now(UTC) or not row.active:
            raise SignInError("this session has ended; sign in again")
        groups = connection.scalars(select(MemberRow.group).where(MemberRow.person == row.name))
        return Actor(
            person=row.name,
            administrator=row.administrator,
            groups=frozenset(groups.all()),
            until=row.expires.timestamp(),
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
