"""People, groups and roles: who manages them, and that nothing is left without an owner."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import (
    CallError,
    ConflictError,
    ExistsError,
    ForbiddenError,
    NotFoundError,
    SignInError,
)
from gateway.service.access.actor import NOBODY, Actor, Role
from gateway.service.access.audit import AuditFilter, read_audit
from gateway.service.access.grants import (
    candidates,
    give_role,
    grant,
    grants_of,
    own_new_dataset,
)
from gateway.service.access.groups import add_member, list_groups, remove_member
from gateway.service.access.links import link_actor, make_link
from gateway.service.access.login import Came, providers, sign_in
from gateway.service.access.people import add_person, change_person, find_person, list_people
from gateway.service.access.rights import require, role_on, visible_datasets
from gateway.service.access.sessions import actor_of, make_token, open_session


def test_administrators_add_people_and_nobody_else_does(lab, root, ana) -> None:
    added = add_person(lab, root, "cy", display="Cy Twombly", provider="oauth2")
    assert (added.display, added.provider, added.active) == ("Cy Twombly", "oauth2", True)
    assert [person.name for person in list_people(lab, root)] == ["ana", "bo", "cy", "root"]
    with pytest.raises(ExistsError, match="'cy' already"):
        add_person(lab, root, "cy")
    for attempt in (
        lambda who: add_person(lab, who, "dee"),
        lambda who: change_person(lab, who, "ana", administrator=True),
        lambda who: list_people(lab, who),
        lambda who: add_member(lab, who, "lab", "ana"),
        lambda who: list_groups(lab, who),
    ):
        with pytest.raises(ForbiddenError, match="ana is no administrator"):
            attempt(ana)
        with pytest.raises(SignInError):
            attempt(NOBODY)


@pytest.mark.parametrize("name", ["", " ana", "a b", "../x", "a" * 121, "ana\x00", "é", "person:x"])
def test_an_odd_name_is_refused(lab, root, name) -> None:
    with pytest.raises(CallError, match="is not allowed"):
        add_person(lab, root, name)


def test_roles_hold_by_person_by_group_and_for_everyone(lab, root, ana) -> None:
    assert role_on(lab, ana, "brain") is Role.NONE
    give_role(lab, root, "brain", "everyone", Role.VIEWER)
    assert role_on(lab, NOBODY, "brain") is Role.VIEWER
    assert role_on(lab, NOBODY, "other") is Role.NONE
    add_member(lab, root, "lab", "ana")
    give_role(lab, root, "brain", "group:lab", Role.EDITOR)
    signed_in = actor_of(lab, open_session(lab, "ana"))
    assert role_on(lab, signed_in, "brain") is Role.EDITOR
    give_role(lab, root, "brain", "person:ana", Role.ANNOTATOR)
    assert role_on(lab, signed_in, "brain") is Role.EDITOR
    remove_member(lab, root, "lab", "ana")
    signed_in = actor_of(lab, open_session(lab, "ana"))
    assert role_on(lab, signed_in, "brain") is Role.ANNOTATOR
    give_role(lab, root, "brain", "person:ana", Role.NONE)
    assert role_on(lab, signed_in, "brain") is Role.VIEWER
    assert visible_datasets(lab, signed_in) == {"brain"}


def test_a_role_is_given_by_owners_to_those_there_are(lab, root, ana) -> None:
    for role in (Role.NONE, Role.VIEWER, Role.ANNOTATOR, Role.EDITOR):
        grant(lab, "brain", "person:ana", role)
        with pytest.raises(ForbiddenError, match="this needs owner"):
            give_role(lab, ana, "brain", "person:bo", Role.VIEWER)
    grant(lab, "brain", "person:ana", Role.OWNER)
    give_role(lab, ana, "brain", "person:bo", Role.VIEWER)
    assert grants_of(lab, "brain") == {"person:ana": Role.OWNER, "person:bo": Role.VIEWER}
    with pytest.raises(NotFoundError, match="no person 'nobody-here'"):
        give_role(lab, ana, "brain", "person:nobody-here", Role.VIEWER)
    with pytest.raises(NotFoundError, match="no group 'lab'"):
        give_role(lab, ana, "brain", "group:lab", Role.VIEWER)
    with pytest.raises(CallError, match="everyone cannot be editor"):
        give_role(lab, ana, "brain", "everyone", Role.EDITOR)
    with pytest.raises(CallError, match="expected person:NAME"):
        give_role(lab, ana, "brain", "bo", Role.VIEWER)
    with pytest.raises(NotFoundError, match="no dataset 'gone'"):
        give_role(lab, root, "gone", "person:ana", Role.OWNER)
    assert candidates(lab).people == (("ana", "ana"), ("bo", "bo"), ("root", "root"))


def test_the_last_owner_cannot_vanish(lab, root, ana) -> None:
    grant(lab, "brain", "person:ana", Role.OWNER)
    for attempt in (
        lambda: give_role(lab, ana, "brain", "person:ana", Role.NONE),
        lambda: give_role(lab, root, "brain", "person:ana", Role.EDITOR),
        lambda: change_person(lab, root, "ana", active=False),
    ):
        with pytest.raises(ConflictError, match="would have no owner left: brain"):
            attempt()
    assert grants_of(lab, "brain") == {"person:ana": Role.OWNER}
    assert find_person(lab, "ana").active
    give_role(lab, ana, "brain", "person:bo", Role.OWNER)
    give_role(lab, ana, "brain", "person:ana", Role.NONE)
    assert grants_of(lab, "brain") == {"person:bo": Role.OWNER}


def test_a_group_that_owns_keeps_a_member(lab, root) -> None:
    add_member(lab, root, "lab", "ana")
    add_member(lab, root, "lab", "bo")
    give_role(lab, root, "brain", "group:lab", Role.OWNER)
    remove_member(lab, root, "lab", "bo")
    with pytest.raises(ConflictError, match="no owner left: brain"):
        remove_member(lab, root, "lab", "ana")
    assert list_groups(lab, root) == {"lab": ["ana"]}


def test_an_heir_gets_what_nobody_else_owns(lab, root) -> None:
    for dataset in ("brain", "other"):
        grant(lab, dataset, "person:ana", Role.OWNER)
    grant(lab, "other", "person:root", Role.OWNER)
    grant(lab, "brain", "person:bo", Role.VIEWER)
    with pytest.raises(NotFoundError, match="no person 'heir'"):
        change_person(lab, root, "ana", active=False, heir="heir")
    change_person(lab, root, "ana", active=False, heir="bo")
    assert grants_of(lab, "brain")["person:bo"] is Role.OWNER
    assert "person:bo" not in grants_of(lab, "other")


def test_deactivating_ends_sessions_and_tokens_at_once(lab, root, ana) -> None:
    browser = open_session(lab, "ana")
    _, token = make_token(lab, ana)
    change_person(lab, root, "ana", active=False)
    change_person(lab, root, "ana", active=True)  # what has ended stays so
    for secret in (browser, token):
        with pytest.raises(SignInError, match="has ended"):
            actor_of(lab, secret)


def test_an_administrator_is_always_left(lab, root) -> None:
    for change in ({"active": False}, {"administrator": False}):
        with pytest.raises(ConflictError, match="no administrator would be left"):
            change_person(lab, root, "root", **change)
    change_person(lab, root, "ana", administrator=True)
    assert not change_person(lab, root, "root", administrator=False).administrator


def test_whoever_begins_a_dataset_owns_it(lab, root, ana) -> None:
    assert own_new_dataset(lab, ana, "fresh")
    require(lab, ana, "fresh", Role.OWNER)
    assert not own_new_dataset(lab, Actor(person="bo"), "fresh")
    assert not own_new_dataset(lab, ana, "brain")
    assert grants_of(lab, "brain") == {}
    with pytest.raises(SignInError):
        own_new_dataset(lab, NOBODY, "mine")
    with pytest.raises(ForbiddenError, match="a share link may not"):
        own_new_dataset(lab, link_actor(lab, make_link(lab, root, "brain")[1]), "mine")


def test_of_many_who_begin_one_dataset_one_owns_it(lab, root) -> None:
    names = [f"p{i}" for i in range(8)]
    for name in names:
        add_person(lab, root, name)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: own_new_dataset(lab, Actor(person=n), "fresh"), names))
    assert won.count(True) == 1
    assert len(grants_of(lab, "fresh")) == 1


def test_a_nul_is_a_bad_value_and_no_failure_of_the_database(lab, root, ana) -> None:
    for attempt in (
        lambda: make_link(lab, root, "brain", note="a\x00b"),
        lambda: make_token(lab, ana, "a\x00b"),
        lambda: change_person(lab, root, "ana", display="a\x00b"),
        lambda: give_role(lab, root, "brain", "person:a\x00b", Role.VIEWER),
        lambda: add_member(lab, root, "a\x00b", "ana"),
    ):
        with pytest.raises(CallError):
            attempt()
    assert read_audit(lab, root, AuditFilter(who="a\x00b")) == []
    answer = {"name": "a\x00b", "password": "a\x00b"}
    with pytest.raises(SignInError, match="name or the password is wrong"):
        sign_in(lab, providers(lab)["local"], answer, {}, back="", came=Came())
