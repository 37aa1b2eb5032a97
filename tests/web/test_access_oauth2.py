"""Signing in by an OAuth2 server that runs beside the service on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import parse_qs, urlsplit

import httpx
import oauth_provider
import pytest
from programs import program

from gateway.service.access.actor import Actor
from gateway.service.access.audit import AuditFilter, read_audit
from gateway.service.access.people import add_person, find_person

ROOT = Actor(person="root", administrator=True)
ANA = {"preferred_username": "ana", "name": "Ana Lyst", "groups": ["lab", "not a group!"]}


@pytest.fixture
def serve_with(serve) -> Iterator[Callable]:
    """Return what starts a service whose people an OAuth2 server vouches for."""
    with ExitStack() as stack:

        def start(claims=None, **environment: str):
            url = stack.enter_context(program(oauth_provider.__file__, json.dumps(claims or ANA)))
            return serve(
                GATEWAY_OAUTH2_CLIENT_ID="gateway",
                GATEWAY_OAUTH2_CLIENT_SECRET="the secret of the gateway",  # noqa: S106 - of a test
                GATEWAY_OAUTH2_AUTHORIZE_URL=f"{url}/authorize",
                GATEWAY_OAUTH2_TOKEN_URL=f"{url}/token",
                GATEWAY_OAUTH2_USERINFO_URL=f"{url}/me",
                **environment,
            )

        yield start


def enter(server, browser: httpx.Client, after: str = "/account") -> httpx.Response:
    """Follow the button to the provider and back, as a browser does."""
    begun = browser.get("/login/with/oauth2", params={"next": after})
    assert begun.status_code == 303
    back = httpx.get(begun.headers["location"]).headers["location"]
    assert back.startswith(f"{server.url}/login/back/oauth2?")
    return browser.get(back)


def test_somebody_who_is_allowed_comes_in_with_their_groups(serve_with) -> None:
    server = serve_with(
        GATEWAY_OAUTH2_ALLOWED='["group:lab"]', GATEWAY_OAUTH2_GROUPS_CLAIM="groups"
    )
    with httpx.Client(base_url=server.url) as browser:
        assert "Institute account" in browser.get("/login").text
        answer = enter(server, browser)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == "/account"
        who = browser.get("/api/me").json()
        assert (who["person"], who["groups"]) == ("ana", ["lab"])
        assert not who["administrator"]
    person = find_person(server.gateway, "ana")
    assert (person.display, person.provider) == ("Ana Lyst", "oauth2")


def test_who_is_not_allowed_stays_out_until_an_administrator_adds_them(serve_with) -> None:
    server = serve_with()
    with httpx.Client(base_url=server.url) as browser:
        answer = enter(server, browser)
        assert answer.status_code == 401
        assert "ask an administrator to add them" in answer.text
        assert browser.get("/api/me").json()["name"] == "nobody"
        add_person(server.gateway, ROOT, "ana", provider="oauth2")
        assert enter(server, browser).status_code == 303
    failed, *_ = read_audit(server.gateway, ROOT, AuditFilter(action="sign-in failed"))
    assert failed.detail["by"] == "oauth2"


def test_a_local_account_is_not_taken_over_by_its_name_elsewhere(serve_with) -> None:
    server = serve_with(GATEWAY_OAUTH2_ALLOWED='["*"]')
    add_person(server.gateway, ROOT, "ana", administrator=True)
    with httpx.Client(base_url=server.url) as browser:
        answer = enter(server, browser)
        assert answer.status_code == 401
        assert "signs in another way here" in answer.text


@pytest.mark.parametrize(
    "claims", [{"name": "nobody"}, {"preferred_username": "../root"}, {"preferred_username": 7}]
)
def test_odd_claims_sign_nobody_in(serve_with, claims) -> None:
    server = serve_with(claims, GATEWAY_OAUTH2_ALLOWED='["*"]')
    with httpx.Client(base_url=server.url) as browser:
        assert enter(server, browser).status_code == 401
        assert browser.get("/api/me").json()["name"] == "nobody"


def test_an_answer_belongs_to_the_browser_that_asked(serve_with) -> None:
    server = serve_with(GATEWAY_OAUTH2_ALLOWED='["*"]')
    with httpx.Client(base_url=server.url) as mine, httpx.Client(base_url=server.url) as other:
        begun = mine.get("/login/with/oauth2")
        back = httpx.get(begun.headers["location"]).headers["location"]
        assert other.get(back).status_code == 401  # never began
        other.get("/login/with/oauth2")
        assert other.get(back).status_code == 401  # began another
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        for answer in ({"code": "x"}, {"state": "x", "code": "x"}, {"state": state}, {}):
            mine.get("/login/with/oauth2")
            assert mine.get("/login/back/oauth2", params=answer).status_code == 401
        assert other.get("/api/me").json()["name"] == "nobody"


def test_a_code_holds_once_and_an_error_is_told_without_it(serve_with) -> None:
    server = serve_with(GATEWAY_OAUTH2_ALLOWED='["*"]')
    with httpx.Client(base_url=server.url) as browser:
        begun = browser.get("/login/with/oauth2")
        cookie = browser.cookies["gateway_sign_in"]
        back = httpx.get(begun.headers["location"]).headers["location"]
        assert browser.get(back).status_code == 303
        code = parse_qs(urlsplit(back).query)["code"][0]
        with httpx.Client(base_url=server.url, cookies={"gateway_sign_in": cookie}) as thief:
            again = thief.get(back)
        assert again.status_code == 401
        assert "did not say who you are" in again.text
        assert code not in again.text


def test_a_missing_setting_is_told_before_anything_is_served(home) -> None:
    command = [sys.executable, "-m", "gateway.web"]
    environment = {**os.environ, "GATEWAY_HOME": str(home), "GATEWAY_OAUTH2_CLIENT_ID": "gateway"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs the setting(s) oauth2_client_secret, oauth2_authorize_url" in done.stderr
