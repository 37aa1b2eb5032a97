"""Keeps sessions that a hub vouches for to what the hub says: ended there is ended here."""

import time
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import select, update

from gateway.errors import SignInError, StoreError
from gateway.records.access_tables import MemberRow, PersonRow
from gateway.records.database import reading
from gateway.service.access.changes import changing
from gateway.service.access.groups import follow_provider
from gateway.service.access.hub_asking import Standing, ask_standing, holds, hub_configured
from gateway.service.gateway import Gateway

HUB = "hub"
_GRACE_S = 120.0
"""How long what was heard still holds while the hub does not answer, as when it starts anew."""
_REMEMBERED = 10_000
_lock = Lock()
_heard: dict[tuple[str, str], "_Heard"] = {}
"""What this process last heard of a sign-in: home and sign-in to when and what."""


@dataclass(frozen=True, slots=True)
class _Heard:
    at: float
    standing: Standing


def vouched_until(gateway: Gateway, person: str, sign_in: str) -> float | None:
    """Return until when a sign-in at the hub is known to hold; None where it has ended.

    The hub is asked at short intervals. What it then says of the person's groups and of whether
    they administer it is kept, so that it also holds for their tokens.

    Raises:
        SignInError: There is no hub to ask, or it has not answered for a while.
    """
    settings = gateway.settings
    if not hub_configured(settings):
        raise SignInError("this session was begun through the hub, which is not here; sign in anew")
    key = (str(gateway.home), sign_in)
    with _lock:
        heard = _heard.get(key)
    now = time.time()
    if heard is not None and now - heard.at < settings.hub_check_seconds:
        return heard.at + settings.hub_check_seconds
    try:
        standing = ask_standing(settings, person) if holds(settings, person, sign_in) else None
    except StoreError as error:
        if heard is not None and now - heard.at < _GRACE_S:
            return now + settings.hub_check_seconds
        raise SignInError(str(error)) from error
    with _lock:
        if len(_heard) >= _REMEMBERED:
            _heard.clear()
        if standing is None:
            _heard.pop(key, None)
        else:
            _heard[key] = _Heard(now, standing)
    if standing is None:
        return None
    if heard is None or heard.standing != standing:
        follow(gateway, person, standing)
    return now + settings.hub_check_seconds


def follow(gateway: Gateway, person: str, standing: Standing) -> None:
    """Make a person's groups and administration what the hub says, unless they are already."""
    administers = select(PersonRow.administrator).where(PersonRow.name == person)
    mine = select(MemberRow.group).where(MemberRow.person == person, MemberRow.source == HUB)
    with reading(gateway.database) as connection:
        same = connection.scalar(administers) == standing.administrator
        same = same and standing.groups == frozenset(connection.scalars(mine))
    if same:
        return
    with changing(gateway) as connection:
        row = update(PersonRow).where(PersonRow.name == person, PersonRow.provider == HUB)
        connection.execute(row.values(administrator=standing.administrator))
        follow_provider(connection, person, standing.groups, HUB)
