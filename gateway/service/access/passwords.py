"""Passwords of local accounts: set, reset, checked; kept as Argon2 hashes."""

import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update

from gateway.errors import CallError, LimitError, NotFoundError, SignInError
from gateway.records.access_tables import PersonRow
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.access.attempts import forgive, reserve
from gateway.service.access.audit import note
from gateway.service.access.changes import changing
from gateway.service.access.rights import (
    refuse_notebook,
    require_administrator,
    require_person,
)
from gateway.service.access.sessions import end_browsers
from gateway.service.gateway import Gateway

SHORTEST = 10
LONGEST = 500
_HASHER = PasswordHasher()
_AT_ONCE = BoundedSemaphore(2)  # each takes 64 MiB by design: a flood must not take them all
_PATIENCE_S = 15.0
_REFUSAL = "the name or the password is wrong"


def set_password(gateway: Gateway, actor: Actor, person: str, password: str) -> None:
    """Give a person a password and end the sessions of their browsers.

    Raises:
        ForbiddenError: The actor is no administrator.
        NotFoundError: There is no such person, or they sign in by OAuth2.
        CallError: The password is too short or too long.
    """
    require_administrator(actor)
    _store(gateway, actor, person, password)
    end_browsers(gateway, person)


def change_password(
    gateway: Gateway, actor: Actor, before: str, password: str, *, session: str | None = None
) -> None:
    """Change the password of the person who asks; their other browsers are signed out.

    Args:
        gateway: The gateway.
        actor: The person.
        before: The password so far; any text where there was none.
        password: The new one.
        session: Secret of the session that asks, which stays.

    Raises:
        SignInError: Nobody is signed in, or the password so far is wrong.
        ForbiddenError: A share link asks.
        LimitError: Too many wrong ones were given of late.
        CallError: The new password is too short or too long.
        NotFoundError: The person signs in by OAuth2.
    """
    person = require_person(actor)
    refuse_notebook(actor)
    with reading(gateway.database) as connection:
        kept = connection.scalar(select(PersonRow.password).where(PersonRow.name == person))
    reserved = reserve(gateway, person, actor.address)
    if kept is not None and not _matches(kept, before):
        raise SignInError("the password so far is wrong; an administrator can reset it")
    forgive(gateway, reserved)
    _store(gateway, actor, person, password)
    end_browsers(gateway, person, but=session)


def check_password(gateway: Gateway, person: str, password: str) -> str:
    """Return the name of the person whose password it is.

    It takes as long for a name that nobody has.

    Raises:
        SignInError: Nobody has that name and password, or they may not sign in so; one message.
        LimitError: Too many sign in at once.
    """
    found = select(PersonRow.name, PersonRow.password, PersonRow.active, PersonRow.provider)
    with reading(gateway.database) as connection:
        row = connection.execute(found.where(PersonRow.name == person[:LONGEST])).one_or_none()
    usable = row is not None and row.password is not None and row.provider == "local"
    kept = row.password if row is not None and usable else _decoy()
    right = _matches(kept, password)
    if row is None or not (right and usable and row.active):
        raise SignInError(_REFUSAL)
    if _HASHER.check_needs_rehash(kept):
        mine = update(PersonRow).where(PersonRow.name == row.name, PersonRow.password == kept)
        with writing(gateway.database) as connection:
            connection.execute(mine.values(password=_hash(password)))
    name: str = row.name
    return name


def _store(gateway: Gateway, actor: Actor, person: str, password: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise CallError(
            f"the password has {len(password)} characters; expected {SHORTEST} to {LONGEST}"
        )
    if person.casefold() in password.casefold() and len(password) < len(person) + SHORTEST:
        raise CallError("the password is little more than the name; choose another")
    kept = _hash(password)
    mine = update(PersonRow).where(PersonRow.name == person, PersonRow.provider == "local")
    with changing(gateway) as connection:
        if not connection.execute(mine.values(password=kept)).rowcount:
            raise NotFoundError(
                f"there is no local person {person[:130]!r}; add them, or let local accounts "
                "vouch for them"
            )
        note(gateway, actor, "password set", into=connection, person=person)


def _matches(kept: str, password: str) -> bool:
    with _turn():
        try:
            return _HASHER.verify(kept, _normal(password))
        except (VerificationError, InvalidHashError):
            return False


def _hash(password: str) -> str:
    with _turn():
        return _HASHER.hash(_normal(password))


def _normal(password: str) -> str:
    # the same letters typed on another keyboard; NIST SP 800-63B, 3.1.1.2
    text = unicodedata.normalize("NFKC", password[: 2 * LONGEST])
    return text.encode(errors="replace").decode()


@cache
def _decoy() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for one of the few places in which a password may be hashed."""
    if not _AT_ONCE.acquire(timeout=_PATIENCE_S):
        raise LimitError("too many people sign in at this moment; try again in a minute")
    try:
        yield
    finally:
        _AT_ONCE.release()
