"""The access check of bytes: asked of the rights again when they change, and only then."""

import asyncio
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import ForbiddenError, SignInError
from gateway.records.access_tables import AuditRow
from gateway.records.catalogue import open_catalogue
from gateway.records.database import reading
from gateway.service.access.actor import NOBODY, Actor, Role
from gateway.service.access.audit import note
from gateway.service.access.grants import grant
from gateway.service.access.links import link_actor, make_link, revoke_link
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.settings import read_settings
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import open_store
from gateway.web.data.decisions import Decisions, Question

RAW = parse_ref("brain/raw")
OWNER = Actor(person="root", administrator=True)
ANA = Actor(person="ana")


@pytest.fixture(params=["sqlite", "postgres"])
def gateway(request: pytest.FixtureRequest, home: Any):
    if request.param == "sqlite":
        opened = open_gateway(home)
    else:
        url = request.getfixturevalue("postgres_url")
        settings = read_settings(home)
        store = open_store(settings.store)
        opened = Gateway(home=home, settings=settings, store=store, catalogue=open_catalogue(url))
    with opened.catalogue:
        (home / "store" / "brain").mkdir()
        yield opened


@pytest.fixture
def decisions(gateway: Gateway):
    with closing(Decisions(gateway)) as made:
        yield made


class Asker:
    """Asks as one person and counts how often the rights were asked."""

    def __init__(self, decisions: Decisions, actor: Any, name: str) -> None:
        self._decisions, self._actor = decisions, actor
        self._question: Question = (name, b"", b"", RAW)
        self.count = 0

    def _identify(self) -> Actor:
        self.count += 1
        return self._actor() if callable(self._actor) else self._actor

    async def ask(self) -> str:
        await asyncio.sleep(0)  # what is asked in one turn of the loop shares one look
        return await self._decisions.check(self._question, self._identify)


def test_rights_are_asked_once_until_they_change(gateway, decisions) -> None:
    async def work() -> None:
        asker = Asker(decisions, ANA, "ana")
        with pytest.raises(ForbiddenError):
            await asker.ask()
        with pytest.raises(ForbiddenError):
            await asker.ask()
        assert asker.count == 1
        grant(gateway, "brain", "person:ana", Role.VIEWER)
        for _ in range(5):
            assert await asker.ask() == "ana"
        assert asker.count == 2
        note(gateway, OWNER, "something else")  # a write that changes no rights
        await asker.ask()
        assert asker.count == 2
        grant(gateway, "brain", "person:ana", Role.NONE)
        with pytest.raises(ForbiddenError):
            await asker.ask()

    asyncio.run(work())


def test_many_who_ask_at_once_ask_the_rights_once(gateway, decisions) -> None:
    async def work() -> None:
        grant(gateway, "brain", "everyone", Role.VIEWER)
        asker = Asker(decisions, NOBODY, "nobody")
        assert await asyncio.gather(*(asker.ask() for _ in range(30))) == ["nobody"] * 30
        assert asker.count == 1

    asyncio.run(work())


def test_a_link_ends_when_it_expires_or_is_revoked(gateway, decisions) -> None:
    async def work() -> None:
        link, token = make_link(gateway, OWNER, "brain", life=timedelta(seconds=1))
        asker = Asker(decisions, lambda: link_actor(gateway, token), token)
        assert await asker.ask() == f"link:{link}"
        await asyncio.sleep(1.1)
        with pytest.raises(ForbiddenError, match="expired"):
            await asker.ask()
        link, token = make_link(gateway, OWNER, "brain")
        asker = Asker(decisions, lambda: link_actor(gateway, token), token)
        await asker.ask()
        revoke_link(gateway, OWNER, link)
        with pytest.raises(ForbiddenError, match="revoked"):
            await asker.ask()

    asyncio.run(work())


def test_who_opened_what_is_in_the_audit_log_once(gateway, decisions) -> None:
    async def work() -> None:
        grant(gateway, "brain", "person:ana", Role.VIEWER)
        for _ in range(3):
            await Asker(decisions, ANA, "ana").ask()
            grant(gateway, "brain", "group:others", Role.VIEWER)  # all is decided anew
        with pytest.raises(SignInError):
            await Asker(decisions, NOBODY, "nobody").ask()

    asyncio.run(work())
    opened = select(AuditRow.who, AuditRow.dataset, AuditRow.detail)
    opened = opened.where(AuditRow.action == "data opened")
    with reading(gateway.database) as connection:
        assert [tuple(row) for row in connection.execute(opened)] == [
            ("ana", "brain", {"entry": "raw"})
        ]
