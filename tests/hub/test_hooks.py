"""Hooks around the life of a notebook server, and the token that each server gets."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import LimitError, SignInError
from gateway.hub.hooks import after_stop, before_start
from gateway.hub.notebook_token import NotebookToken
from gateway.service.access.people import ensure_person, find_person
from gateway.service.access.rights import require_administrator
from gateway.service.access.sessions import actor_of, make_token
from gateway.service.gateway import open_gateway


def server(name: str = "ana", *, admin: bool = False, groups: tuple[str, ...] = ()) -> Any:
    orm = SimpleNamespace(groups=[SimpleNamespace(name=group) for group in groups])
    user = SimpleNamespace(name=name, admin=admin, orm_user=orm)
    return SimpleNamespace(
        user=user, name="", environment={"A": "1"}, user_options={}, log=logging.getLogger("hub")
    )


class Noting:
    def __init__(self, notes: list[str], name: str, error: Exception | None = None) -> None:
        self.notes, self.name, self.error = notes, name, error

    async def before_start(self, _: Any) -> None:
        self.notes.append(f"before {self.name}")
        if self.error:
            raise self.error

    async def after_stop(self, _: Any) -> None:
        self.notes.append(f"after {self.name}")
        if self.error:
            raise self.error


def test_hooks_come_in_order_and_go_in_reverse() -> None:
    notes: list[str] = []
    hooks = [Noting(notes, "a"), Noting(notes, "b")]
    asyncio.run(before_start(hooks)(server()))
    asyncio.run(after_stop(hooks)(server()))
    assert notes == ["before a", "before b", "after b", "after a"]


def test_a_start_that_one_hook_stops_is_undone_by_all_and_says_why() -> None:
    notes: list[str] = []
    hooks = [Noting(notes, "a"), Noting(notes, "b", LimitError("2 GPUs were asked for"))]
    with pytest.raises(LimitError) as caught:
        asyncio.run(before_start(hooks)(server()))
    assert caught.value.jupyterhub_message == "2 GPUs were asked for"
    assert notes == ["before a", "before b", "after b", "after a"]
    with pytest.raises(RuntimeError) as unknown:
        asyncio.run(before_start([Noting(notes, "c", RuntimeError("inside"))])(server()))
    assert unknown.value.jupyterhub_message.endswith("the hub's log says why")


@pytest.fixture
def gateway(home):
    opened = open_gateway(home)
    with opened.catalogue:
        yield opened


def test_a_server_gets_a_token_that_ends_with_it(gateway, facts_of) -> None:
    hook, spawner = NotebookToken(gateway, facts_of()), server(groups=("lab", "no group!"))
    asyncio.run(hook.before_start(spawner))
    assert spawner.environment["GATEWAY_URL"] == "http://127.0.0.1:3/services/gateway"
    assert spawner.environment["A"] == "1"
    first = spawner.environment["GATEWAY_TOKEN"]
    actor = actor_of(gateway, first)
    assert (actor.person, actor.groups, actor.notebook) == ("ana", {"lab"}, True)
    asyncio.run(hook.before_start(spawner))  # as after a crash
    with pytest.raises(SignInError):
        actor_of(gateway, first)
    second = spawner.environment["GATEWAY_TOKEN"]
    asyncio.run(hook.after_stop(spawner))
    with pytest.raises(SignInError):
        actor_of(gateway, second)


def test_the_token_of_an_administrator_sees_all_and_administers_nothing(gateway, facts_of) -> None:
    hook, spawner = NotebookToken(gateway, facts_of()), server("ada", admin=True)
    asyncio.run(hook.before_start(spawner))
    assert find_person(gateway, "ada").administrator
    actor = actor_of(gateway, spawner.environment["GATEWAY_TOKEN"])
    assert actor.administrator
    with pytest.raises(PermissionError, match="token of a notebook server may not do this"):
        require_administrator(actor)
    with pytest.raises(PermissionError, match="token of a notebook server may not do this"):
        make_token(gateway, actor)


def test_a_stranger_does_not_become_who_has_an_account_here(gateway, facts_of) -> None:
    ensure_person(gateway, "ben", administrator=True)
    hook = NotebookToken(gateway, facts_of())
    with pytest.raises(SignInError, match="ben signs in another way here"):
        asyncio.run(hook.before_start(server("ben")))
    asyncio.run(hook.before_start(server("ben", admin=True)))
    assert find_person(gateway, "ben").provider == "hub"
