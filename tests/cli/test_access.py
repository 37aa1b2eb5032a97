"""People, sharing and tokens from the command line."""

import pytest

from gateway.errors import ForbiddenError, SignInError
from gateway.service.access.links import link_actor
from gateway.service.access.login import who_of_login_link
from gateway.service.access.passwords import check_password
from gateway.service.access.sessions import actor_of
from gateway.service.gateway import open_gateway


@pytest.fixture
def here(home, shell, monkeypatch):
    """Return `shell` in a home with a dataset `brain`."""
    monkeypatch.setenv("GATEWAY_HOME", str(home))
    (home / "store" / "brain").mkdir()
    (home / "store" / "brain" / "dataset.json").write_text("{}")
    return shell


@pytest.fixture
def lab(home):
    opened = open_gateway(home)
    with opened.catalogue:
        yield opened


def test_people_are_added_changed_and_let_in(here, lab) -> None:
    made = here("people", "add", "ana", "--display", "Ana L", "--json").json
    assert who_of_login_link(lab, made["url"].split("once=")[1]) == "ana"
    assert here("people", "add", "ana").code == 1
    words = ("people", "password", "ana", "--password", "correct horse battery")
    assert here(*words).code == 0
    assert check_password(lab, "ana", "correct horse battery") == "ana"
    assert here("people", "join", "lab", "ana").code == 0
    assert here("people", "groups", "--json").json == {"groups": {"lab": ["ana"]}}
    assert here("people", "change", "ana", "--administrator", "--json").json["administrator"]
    only = here("people", "change", "ana", "--inactive")
    assert (only.code, "no administrator would be left" in only.err) == (1, True)
    assert here("people", "leave", "lab", "ana").code == 0
    assert here("people", "leave", "lab", "ana").code == 1
    assert "ana" in here("people", "list").out
    assert here("people", "link", "ana").out.startswith("http://127.0.0.1:8700/login?once=")


def test_roles_and_links_are_given_and_taken(here, lab) -> None:
    here("people", "add", "ana")
    assert here("share", "give", "brain", "person:ana", "owner").code == 0
    assert here("share", "give", "brain", "person:ana", "none").code == 1
    assert here("share", "give", "brain", "person:bo", "viewer").code == 1
    assert here("share", "give", "brain", "everyone", "editor").code == 2
    made = here("share", "make", "brain", "--note", "for Bo", "--days", "0.5", "--json").json
    token = made["url"].split("/s/")[1].strip("/")
    assert link_actor(lab, token).link == made["id"]
    listed = here("share", "list", "brain", "--json").json
    assert listed["roles"] == {"person:ana": "owner"}
    assert [link["note"] for link in listed["links"]] == ["for Bo"]
    assert here("share", "revoke", made["id"]).code == 0
    with pytest.raises(ForbiddenError):
        link_actor(lab, token)
    assert "revoked" in here("share", "list", "brain").out
    assert here("share", "make", "brain/nothing").code == 1
    assert here("share", "make", "../brain").code == 2
    log = here("share", "log", "brain", "--json").json["lines"]
    assert [line["action"] for line in log] == ["link revoked", "link made", "role given"]
    assert log[0]["address"] == "command line"


def test_tokens_are_made_listed_and_ended(here, lab) -> None:
    here("people", "add", "ana")
    secret = here("token", "make", "--person", "ana", "--note", "notebook").out.strip()
    assert actor_of(lab, secret).person == "ana"
    assert not actor_of(lab, secret).administrator
    listed = here("token", "list", "--person", "ana", "--json").json["tokens"]
    assert [token["note"] for token in listed] == ["notebook"]
    assert here("token", "revoke", listed[0]["id"]).code == 1  # not one's own
    assert here("token", "revoke", listed[0]["id"], "--person", "ana").code == 0
    with pytest.raises(SignInError):
        actor_of(lab, secret)
    mine = here("token", "make").out.strip()
    assert actor_of(lab, mine).administrator
    assert here("token", "make", "--person", "nobody").code == 1
