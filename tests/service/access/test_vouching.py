"""Sessions that a hub vouches for hold as long as the sign-in there; a little hub answers here."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.errors import SettingsError, SignInError
from gateway.service.access.hub import HubProvider
from gateway.service.access.hub_asking import ask_standing, holds, standing_of
from gateway.service.access.login import Came, admit_from_hub, providers, sign_in
from gateway.service.access.people import ensure_person, find_person
from gateway.service.access.sessions import actor_of, open_session
from gateway.service.gateway import Gateway
from gateway.service.settings import Settings

TOKEN = "the token of the web service"  # noqa: S105 - of a test


class LittleHub:
    """What the hub's API says of one person, to whoever has the token."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {
            "name": "ana",
            "admin": False,
            "groups": ["lab", "no group!"],
        }
        self.sign_ins = {"a1"}
        self.asked = 0
        self.status = 200

    def answer(self, path: str) -> tuple[int, Any]:
        self.asked += 1
        if self.status != 200:
            return self.status, {}
        if path == "/hub/api/users/ana":
            return 200, self.person
        known = path.removeprefix("/hub/api/users/ana/tokens/") in self.sign_ins
        return (200, {"id": "a1"}) if known else (404, {})


@contextmanager
def answering(little: LittleHub) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            trusted = self.headers.get("Authorization") == f"token {TOKEN}"
            status, said = little.answer(self.path) if trusted else (403, {})
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hub/api"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def little() -> LittleHub:
    return LittleHub()


@pytest.fixture
def behind(gateway: Gateway, little: LittleHub) -> Iterator[Gateway]:
    """Yield the gateway behind the little hub, which it asks whenever a session is used."""
    with answering(little) as url:
        values = {"hub_api_url": url, "hub_api_token": TOKEN, "hub_url": "/hub/"}
        settings = Settings(**values, hub_check_seconds=0)
        yield Gateway(gateway.home, settings, gateway.store, gateway.catalogue)


def enter(gateway: Gateway, sign_in_there: str = "a1") -> str:
    standing = ask_standing(gateway.settings, "ana")
    assert standing is not None
    admit_from_hub(gateway, "ana", standing)
    return open_session(gateway, "ana", vouched=sign_in_there)


def test_it_says_who_somebody_is(behind: Gateway, little: LittleHub) -> None:
    secret = enter(behind)
    actor = actor_of(behind, secret)
    assert (actor.person, actor.groups, actor.administrator) == ("ana", {"lab"}, False)
    little.person |= {"admin": True, "groups": ["other"]}
    actor = actor_of(behind, secret)
    assert (actor.groups, actor.administrator) == ({"other"}, True)
    assert find_person(behind, "ana").groups == ("other",)


def test_a_sign_in_that_ended_there_is_ended_here_for_good(
    behind: Gateway, little: LittleHub
) -> None:
    secret = enter(behind)
    little.sign_ins.clear()
    with pytest.raises(SignInError, match="has ended; sign in again"):
        actor_of(behind, secret)
    little.sign_ins.add("a1")
    with pytest.raises(SignInError):
        actor_of(behind, secret)


def test_the_hub_is_not_asked_again_within_the_interval(behind: Gateway, little: LittleHub) -> None:
    secret = enter(behind)
    settings = behind.settings.model_copy(update={"hub_check_seconds": 60.0})
    patient = Gateway(behind.home, settings, behind.store, behind.catalogue)
    asked = little.asked
    actors = [actor_of(patient, secret) for _ in range(5)]
    assert little.asked == asked + 2
    assert actors[0].until is not None
    assert actors[0].until <= time.time() + 60


def test_a_hub_that_starts_anew_signs_nobody_out_but_a_stranger_does_not_come_in(
    behind: Gateway, little: LittleHub
) -> None:
    secret = enter(behind)
    actor_of(behind, secret)
    little.status = 503
    assert actor_of(behind, secret).person == "ana"
    unheard = open_session(behind, "ana", vouched="a2")
    with pytest.raises(SignInError, match="answers 503"):
        actor_of(behind, unheard)


def test_without_a_hub_such_a_session_does_not_hold(gateway: Gateway, behind: Gateway) -> None:
    secret = enter(behind)
    with pytest.raises(SignInError, match="begun through the hub, which is not here"):
        actor_of(gateway, secret)


def test_a_name_that_has_an_account_here_is_not_taken_over(behind: Gateway) -> None:
    ensure_person(behind, "ana", administrator=True)
    with pytest.raises(SignInError, match="signs in another way here"):
        admit_from_hub(behind, "ana", standing_of(["lab"], administrator=False))
    admit_from_hub(behind, "ana", standing_of(["lab"], administrator=True))
    assert find_person(behind, "ana").provider == "hub"


def test_people_sign_in_through_the_hub_alone(behind: Gateway) -> None:
    assert list(providers(behind)) == ["hub"]
    provider = HubProvider(behind.settings)
    start = provider.start("http://localhost:8000/services/gateway/login/back/hub")
    assert start.url.startswith("/hub/api/oauth2/authorize?response_type=code")
    assert "redirect_uri=%2Fservices%2Fgateway%2Flogin%2Fback%2Fhub" in start.url
    state = start.remember["state"]
    for answer in ({}, {"state": "x", "code": "c"}, {"state": state, "error": "access_denied"}):
        with pytest.raises(SignInError):
            sign_in(behind, provider, answer, start.remember, back="http://x/back", came=Came())
    # the little hub exchanges no code
    with pytest.raises(SignInError, match="did not say who you are"):
        provider.finish({"state": state, "code": "c"}, start.remember, "http://x/back")


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match=r"also needs the setting.*hub_api_token, hub_url"):
        HubProvider(Settings(hub_api_url="http://127.0.0.1:1/hub/api"))


def test_a_wrong_token_is_told_nothing(behind: Gateway) -> None:
    settings = behind.settings.model_copy(update={"hub_api_token": SecretStr("no")})
    assert ask_standing(settings, "ana") is None
    assert not holds(settings, "ana", "a1")
