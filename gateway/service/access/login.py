"""Signing in: by an identity provider, by the link `gateway serve` prints, by one-time links."""

import getpass
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gateway.errors import CallError, GatewayError, NotFoundError, SignInError
from gateway.records.access_tables import LoginLinkRow, PersonRow
from gateway.records.database import reading, writing
from gateway.service.access.actor import NOBODY, Actor
from gateway.service.access.attempts import forgive, reserve
from gateway.service.access.audit import note
from gateway.service.access.changes import changing
from gateway.service.access.groups import follow_provider
from gateway.service.access.hub import HubProvider
from gateway.service.access.hub_asking import Standing, hub_configured
from gateway.service.access.keys import signer, unsign
from gateway.service.access.local_accounts import LocalAccounts
from gateway.service.access.oauth2 import OAuth2Provider, oauth2_configured
from gateway.service.access.people import (
    check_person,
    ensure_person,
    insert_person,
    is_name,
)
from gateway.service.access.providers import Identity, IdentityProvider
from gateway.service.access.rights import require_administrator
from gateway.service.access.sessions import open_session
from gateway.service.access.vouching import HUB, follow
from gateway.service.gateway import Gateway

_PURPOSE = "login"
_ONCE = "login.once"
_LIFE = timedelta(hours=12)
_PRINTED = "gateway serve"
ONCE_LIFE = timedelta(days=3)
LONGEST_ONCE_LIFE = timedelta(days=30)
_EVERYONE = "*"
_LONGEST_KEY = 1000


@dataclass(frozen=True, slots=True)
class Came:
    """From where a sign-in comes, for the log and for the list of one's sessions."""

    address: str = ""
    browser: str = ""


def providers(gateway: Gateway) -> dict[str, IdentityProvider]:
    """Return the identity providers of a gateway, by name; behind a hub, the hub alone.

    Raises:
        SettingsError: A setting of one is missing.
    """
    if hub_configured(gateway.settings):
        return {HUB: HubProvider(gateway.settings)}
    found: list[IdentityProvider] = [LocalAccounts(gateway)]
    if oauth2_configured(gateway.settings):
        found.append(OAuth2Provider(gateway.settings))
    return {provider.name: provider for provider in found}


def local_administrator(gateway: Gateway) -> str:
    """Return who started the gateway on this machine, as an administrator of it."""
    return ensure_person(gateway, account_name(), administrator=True)


def account_name() -> str:
    """Return the name of this machine's account, as a person can have it."""
    try:
        account = getpass.getuser()
    except (OSError, KeyError):  # containers run under ids without a name
        account = ""
    return re.sub(r"[^A-Za-z0-9_.@+\-]", "_", account).lstrip("_.@+-")[:120] or "administrator"


def login_key(gateway: Gateway, person: str) -> str:
    """Return the key of a link that signs a person in, for twelve hours or until it is ended."""
    link, now = secrets.token_urlsafe(12), datetime.now(UTC)
    values = {"id": link, "person": person, "made_by": _PRINTED, "made": now}
    with writing(gateway.database) as connection:
        connection.execute(insert(LoginLinkRow).values(**values, expires=now + _LIFE))
    return str(signer(gateway, _PURPOSE).dumps(link))


def end_login_key(gateway: Gateway, key: str) -> None:
    """End a printed link: whoever finds it later, in a log say, cannot use it."""
    link = str(unsign(gateway, _PURPOSE, key[:_LONGEST_KEY], int(_LIFE.total_seconds())))
    ended = update(LoginLinkRow).where(LoginLinkRow.id == link, LoginLinkRow.used.is_(None))
    with writing(gateway.database) as connection:
        connection.execute(ended.values(used=datetime.now(UTC)))


def sign_in_by_key(gateway: Gateway, key: str, came: Came | None = None) -> str:
    """Return the secret of a new browser session.

    Raises:
        SignInError: The key was not made here or has ended, or its person may not sign in.
    """
    link = unsign(gateway, _PURPOSE, key[:_LONGEST_KEY], int(_LIFE.total_seconds()))
    person = _person_of_link(gateway, str(link))
    if person is None:
        raise SignInError(
            "this login link has ended; take the one that `gateway serve` printed when it started"
        )
    return _begin(gateway, person, came or Came(), by="printed link")


def make_login_link(
    gateway: Gateway, actor: Actor, person: str, life: timedelta = ONCE_LIFE
) -> str:
    """Return the key of a link that signs a person in once, to set a password, say.

    Raises:
        ForbiddenError: The actor is no administrator.
        NotFoundError: There is no such person, or they are not active.
        CallError: The life is out of bounds.
    """
    require_administrator(actor)
    if not timedelta(seconds=1) <= life <= LONGEST_ONCE_LIFE:
        raise CallError(
            f"a login link cannot hold for {life}; at most {LONGEST_ONCE_LIFE.days} days"
        )
    link, now = secrets.token_urlsafe(12), datetime.now(UTC)
    active = select(PersonRow.name).where(PersonRow.name == person, PersonRow.active)
    values = {"id": link, "person": person, "made_by": actor.name, "made": now}
    with writing(gateway.database) as connection:
        if connection.scalar(active) is None:
            raise NotFoundError(f"there is no active person {person[:130]!r}")
        connection.execute(insert(LoginLinkRow).values(**values, expires=now + life))
        note(gateway, actor, "login link made", into=connection, person=person)
    return str(signer(gateway, _ONCE).dumps(link))


def who_of_login_link(gateway: Gateway, key: str) -> str:
    """Return whom a one-time link would sign in, without using it up.

    Raises:
        SignInError: The link was not made here, was used, or has expired.
    """
    return _once(gateway, key)[1]


def sign_in_once(gateway: Gateway, key: str, came: Came) -> str:
    """Use up a one-time link and return the secret of a new browser session.

    Raises:
        SignInError: The link was not made here, was used, or has expired.
    """
    link, person = _once(gateway, key)
    now = datetime.now(UTC)
    unused = update(LoginLinkRow).where(
        LoginLinkRow.id == link, LoginLinkRow.used.is_(None), LoginLinkRow.expires > now
    )
    with writing(gateway.database) as connection:
        if not connection.execute(unused.values(used=now)).rowcount:
            raise SignInError("this login link was used already; ask an administrator for another")
    return _begin(gateway, person, came, by="login link")


def sign_in(
    gateway: Gateway,
    provider: IdentityProvider,
    answer: Mapping[str, str],
    remembered: Mapping[str, str],
    *,
    back: str,
    came: Came,
) -> str:
    """Return the secret of a new browser session of whomever a provider vouches for.

    Raises:
        SignInError: The provider vouches for nobody, or for somebody who may not come in.
        LimitError: Too many sign-ins failed of late.
    """
    name = answer.get("name", "").strip() if provider.fields else None
    reserved = reserve(gateway, name, came.address)
    try:
        identity = provider.finish(answer, remembered, back)
        person = _admit(gateway, provider.name, identity)
        secret = _begin(gateway, person, came, by=provider.name, vouched=identity.sign_in)
    except GatewayError as error:
        _note_failure(gateway, provider, name, came, error)
        raise
    forgive(gateway, reserved)
    return secret


def _once(gateway: Gateway, key: str) -> tuple[str, str]:
    longest = int(LONGEST_ONCE_LIFE.total_seconds())
    link = unsign(gateway, _ONCE, key[:_LONGEST_KEY], longest)
    person = _person_of_link(gateway, str(link))
    if person is None:
        raise SignInError(
            "this login link was used already or has expired; ask an administrator for another"
        )
    return str(link), person


def _person_of_link(gateway: Gateway, link: str) -> str | None:
    """Return whom a link signs in; None where it was used, has ended or was never made."""
    unused = select(LoginLinkRow.person).where(
        LoginLinkRow.id == link,
        LoginLinkRow.used.is_(None),
        LoginLinkRow.expires > datetime.now(UTC),
    )
    with reading(gateway.database) as connection:
        return connection.scalar(unused)


def admit_from_hub(gateway: Gateway, person: str, standing: Standing) -> None:
    """Make somebody whom the hub knows a person here, with what the hub says of them.

    Raises:
        SignInError: They sign in in another way here, and do not administer the hub.
    """
    identity = Identity(
        name=check_person(person), groups=standing.groups, administrator=standing.administrator
    )
    _admit(gateway, HUB, identity)


def _admit(gateway: Gateway, provider: str, identity: Identity) -> str:
    """Return the person of an identity; add them where the settings allow it."""
    with changing(gateway) as connection:
        kept = connection.execute(
            select(PersonRow.provider, PersonRow.made_by).where(PersonRow.name == identity.name)
        ).one_or_none()
        if kept is not None and kept.provider != provider:
            # a stranger who takes an administrator's name elsewhere must not become them; who
            # administers the hub could become anybody in any case
            if identity.administrator is not True:
                raise SignInError(
                    f"{identity.name} signs in another way here; an administrator can change that"
                )
            mine = update(PersonRow).where(PersonRow.name == identity.name)
            connection.execute(mine.values(provider=provider))
        if provider != HUB and (kept is None or kept.made_by == provider):
            _check_allowed(gateway, identity)
        if kept is None:
            insert_person(
                connection,
                identity.name,
                display=identity.display,
                administrator=identity.administrator is True,
                provider=provider,
                made_by=provider,
            )
        if identity.groups is not None and identity.administrator is None:
            follow_provider(connection, identity.name, identity.groups, provider)
    if identity.groups is not None and identity.administrator is not None:
        follow(gateway, identity.name, Standing(identity.administrator, identity.groups))
    return identity.name


def _check_allowed(gateway: Gateway, identity: Identity) -> None:
    """Refuse whom no administrator has added, unless the settings let them in."""
    names = {identity.name, *(f"group:{group}" for group in identity.groups or ()), _EVERYONE}
    if names.isdisjoint(gateway.settings.oauth2_allowed):
        raise SignInError(
            f"{identity.name} may not sign in to this gateway; ask an administrator to add them"
        )


def _begin(
    gateway: Gateway, person: str, came: Came, *, by: str, vouched: str | None = None
) -> str:
    with writing(gateway.database) as connection:
        _require_active(connection, person)
        actor = Actor(person=person, address=came.address)
        note(gateway, actor, "signed in", into=connection, by=by)
    return open_session(gateway, person, note=came.browser, vouched=vouched)


def _require_active(connection: Connection, person: str) -> None:
    active = select(PersonRow.name).where(PersonRow.name == person, PersonRow.active)
    if connection.scalar(active) is None:
        raise SignInError("this account may not sign in; ask an administrator")


def _note_failure(
    gateway: Gateway,
    provider: IdentityProvider,
    name: str | None,
    came: Came,
    error: GatewayError,
) -> None:
    with reading(gateway.database) as connection:
        asked = name if name is not None and is_name(name) else ""
        known = connection.scalar(select(PersonRow.name).where(PersonRow.name == asked))
    # what nobody is called may be a password typed into the wrong field
    said: dict[str, Any] = {
        "person": known or "unknown",
        "by": provider.name,
        "why": type(error).__name__,
    }
    note(gateway, replace(NOBODY, address=came.address), "sign-in failed", **said)
