"""The people of a gateway: added, changed, deactivated."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from gateway.errors import CallError, ConflictError, ExistsError, NotFoundError
from gateway.records.access_tables import LinkRow, LoginLinkRow, MemberRow, PersonRow, SessionRow
from gateway.records.database import reading
from gateway.service.access.actor import Actor
from gateway.service.access.audit import note
from gateway.service.access.changes import changing
from gateway.service.access.owners import keeping_owners, pass_on
from gateway.service.access.rights import require_administrator
from gateway.service.access.texts import check_text
from gateway.service.gateway import Gateway

PROVIDERS = ("local", "oauth2", "hub")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+\-]{0,119}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in, or might once."""

    name: str
    display: str
    administrator: bool
    active: bool
    provider: str
    """Who vouches for them: `local`, `oauth2` or `hub`."""
    has_password: bool
    groups: tuple[str, ...]
    made: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the person as JSON values."""
        return {
            "name": self.name,
            "display": self.display,
            "administrator": self.administrator,
            "active": self.active,
            "provider": self.provider,
            "has_password": self.has_password,
            "groups": list(self.groups),
            "made": self.made.isoformat(),
        }


def is_name(name: str) -> bool:
    """Tell whether a person could have this name."""
    return _NAME.match(name) is not None


def check_person(name: str) -> str:
    """Check the name of a person and return it.

    Raises:
        CallError: It is empty, too long, or has an odd character.
    """
    if not is_name(name):
        raise CallError(
            f"the name {name[:130]!r} is not allowed; use letters, digits and . _ - + @, starting "
            "with a letter or digit, at most 120 characters"
        )
    return name


def ensure_person(gateway: Gateway, name: str, *, administrator: bool = False) -> str:
    """Add a person unless there is one of that name; return the name."""
    check_person(name)
    with changing(gateway) as connection:
        if not _known(connection, name):
            insert_person(connection, name, administrator=administrator)
    return name


def insert_person(
    connection: Connection,
    name: str,
    *,
    display: str = "",
    administrator: bool = False,
    provider: str = "local",
    made_by: str = "",
) -> None:
    """Add a person inside a transaction."""
    values: dict[str, Any] = {"name": name, "display": display or name}
    values["administrator"] = administrator
    now = datetime.now(UTC)
    values |= {"provider": provider, "made_by": made_by, "active": True, "made": now}
    row = insert(PersonRow).values(**values)
    connection.execute(row)


def add_person(
    gateway: Gateway,
    actor: Actor,
    name: str,
    *,
    display: str = "",
    administrator: bool = False,
    provider: str = "local",
) -> Person:
    """Add a person, who then needs a password or a login link unless OAuth2 vouches for them.

    Raises:
        ForbiddenError: The actor is no administrator.
        ExistsError: There is somebody of that name.
        CallError: The name or the provider is not allowed.
    """
    require_administrator(actor)
    check_person(name)
    _check_facts(display, provider)
    with changing(gateway) as connection:
        if _known(connection, name):
            raise ExistsError(f"there is a person {name!r} already; change them instead")
        insert_person(
            connection,
            name,
            display=display,
            administrator=administrator,
            provider=provider,
            made_by=actor.name,
        )
        facts: dict[str, Any] = {"administrator": administrator, "provider": provider}
        note(gateway, actor, "person added", into=connection, person=name, **facts)
    return find_person(gateway, name)


def change_person(
    gateway: Gateway,
    actor: Actor,
    name: str,
    *,
    display: str | None = None,
    administrator: bool | None = None,
    active: bool | None = None,
    provider: str | None = None,
    heir: str | None = None,
) -> Person:
    """Change what is known of a person; None leaves a fact as it is.

    Deactivating somebody ends their sessions and tokens and the share links they made.

    Args:
        gateway: The gateway.
        actor: An administrator.
        name: Who is changed.
        display: The name shown.
        administrator: Whether they administer the gateway.
        active: Whether they may sign in.
        provider: Who vouches for them, `local`, `oauth2` or `hub`.
        heir: Who becomes owner of the datasets that would be left without one.

    Raises:
        ForbiddenError: The actor is no administrator.
        NotFoundError: There is no such person or heir.
        ConflictError: No administrator would be left, or datasets would have no owner.
        CallError: A value is not allowed.
    """
    require_administrator(actor)
    _check_facts(display or "", provider or "local")
    given: dict[str, Any] = {"display": display, "administrator": administrator, "active": active}
    given["provider"] = provider
    values = {key: value for key, value in given.items() if value is not None}
    with changing(gateway) as connection:
        _require_known(connection, name)
        with keeping_owners(connection), _keeping_administrators(connection):
            if heir is not None:
                _require_known(connection, heir)
                given_on = pass_on(connection, name, heir)
                note(gateway, actor, "datasets passed on", into=connection, to=heir, of=given_on)
            if values:
                mine = update(PersonRow).where(PersonRow.name == name)
                connection.execute(mine.values(**values))
            if active is False:
                _end_all(connection, name)
        note(gateway, actor, "person changed", into=connection, person=name, **values)
    return find_person(gateway, name)


def find_person(gateway: Gateway, name: str) -> Person:
    """Return a person.

    Raises:
        NotFoundError: There is no such person.
    """
    with reading(gateway.database) as connection:
        found = _people(connection, PersonRow.name == name)
    if not found:
        raise NotFoundError(f"there is no person {name[:130]!r}; add them first")
    return found[0]


def list_people(gateway: Gateway, actor: Actor) -> list[Person]:
    """Return all people by name.

    Raises:
        ForbiddenError: The actor is no administrator.
    """
    require_administrator(actor)
    with reading(gateway.database) as connection:
        return _people(connection)


def _people(connection: Connection, *conditions: Any) -> list[Person]:
    groups: dict[str, list[str]] = {}
    for group, name in connection.execute(select(MemberRow.group, MemberRow.person)):
        groups.setdefault(name, []).append(group)
    rows = connection.execute(
        select(PersonRow.__table__).where(*conditions).order_by(PersonRow.name)
    )
    return [
        Person(
            name=row.name,
            display=row.display,
            administrator=row.administrator,
            active=row.active,
            provider=row.provider,
            has_password=row.password is not None,
            groups=tuple(sorted(groups.get(row.name, ()))),
            made=row.made,
        )
        for row in rows
    ]


def _known(connection: Connection, name: str) -> bool:
    return connection.scalar(select(PersonRow.name).where(PersonRow.name == name)) is not None


def _require_known(connection: Connection, name: str) -> None:
    if not _known(connection, name):
        raise NotFoundError(f"there is no person {name[:130]!r}; add them first")


def _check_facts(display: str, provider: str) -> None:
    check_text("the name to show", display)
    if provider not in PROVIDERS:
        raise CallError(
            f"there is no identity provider {provider!r}; expected {', '.join(PROVIDERS)}"
        )


def _end_all(connection: Connection, name: str) -> None:
    now = datetime.now(UTC)
    ended = update(SessionRow).where(SessionRow.person == name, SessionRow.ended.is_(None))
    connection.execute(ended.values(ended=now))
    used = update(LoginLinkRow).where(LoginLinkRow.person == name, LoginLinkRow.used.is_(None))
    connection.execute(used.values(used=now))
    # a link they made for themselves would let them in through the back
    revoked = update(LinkRow).where(LinkRow.made_by == name, LinkRow.revoked.is_(None))
    connection.execute(revoked.values(revoked=now))


@contextmanager
def _keeping_administrators(connection: Connection) -> Iterator[None]:
    """Refuse the change made inside if it leaves no administrator who may sign in."""
    rule = select(func.count()).where(PersonRow.administrator, PersonRow.active)
    before = connection.scalar(rule)
    yield
    if before and not connection.scalar(rule):
        raise ConflictError(
            "no administrator would be left; make somebody else an administrator first"
        )
