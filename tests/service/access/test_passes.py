"""Passes show a dataset to whoever may see it, for hours, and not a moment after that ends."""

import time
from datetime import timedelta

import pytest

from gateway.errors import CallError, ForbiddenError, SignInError
from gateway.service.access.actor import NOBODY, Role
from gateway.service.access.audit import AuditFilter, read_audit
from gateway.service.access.grants import give_role, grant
from gateway.service.access.links import make_link
from gateway.service.access.passes import make_pass, path_actor
from gateway.service.access.people import change_person
from gateway.service.access.rights import role_on


@pytest.fixture
def token(lab, ana) -> str:
    grant(lab, "brain", "person:ana", Role.EDITOR)
    return make_pass(lab, ana, "brain").token


def test_a_pass_shows_its_dataset_and_changes_nothing(lab, root, token) -> None:
    actor = path_actor(lab, token)
    assert actor.person is None
    assert role_on(lab, actor, "brain") is Role.VIEWER
    assert role_on(lab, actor, "other") is Role.NONE
    made = read_audit(lab, root, AuditFilter(action="pass made"))
    assert [(line.who, line.dataset) for line in made] == [("ana", "brain")]
    assert token not in str(made)


def test_it_ends_with_the_right_to_see(lab, root, token) -> None:
    give_role(lab, root, "brain", "person:ana", Role.NONE)
    with pytest.raises(ForbiddenError, match="ana has no role on the dataset brain"):
        path_actor(lab, token)


def test_it_ends_with_its_person(lab, root, token) -> None:
    change_person(lab, root, "ana", active=False)
    with pytest.raises(ForbiddenError, match="ana may no longer sign in, so nothing is done"):
        path_actor(lab, token)


def test_it_ends_by_itself(lab, ana) -> None:
    grant(lab, "brain", "person:ana", Role.VIEWER)
    short = make_pass(lab, ana, "brain", timedelta(seconds=1))
    assert path_actor(lab, short.token).until == pytest.approx(short.expires.timestamp(), abs=0.01)
    time.sleep(1.1)
    with pytest.raises(ForbiddenError, match="this view has ended or was never begun here"):
        path_actor(lab, short.token)


def test_a_pass_that_was_not_made_here_is_refused_and_not_repeated(lab, root, token) -> None:
    _, link = make_link(lab, root, "brain")
    assert path_actor(lab, link).link_dataset == "brain"
    for forged in (f"p.{link}", token[:-2] + "xx", "p.", f"p.{'x' * 900}"):
        with pytest.raises(ForbiddenError, match="was never begun here") as refused:
            path_actor(lab, forged)
        assert len(forged) < 4 or forged not in str(refused.value)


def test_who_may_not_see_gets_none(lab, ana) -> None:
    with pytest.raises(ForbiddenError, match="ana has no role on the dataset other"):
        make_pass(lab, ana, "other")
    with pytest.raises(SignInError):
        make_pass(lab, NOBODY, "brain")


def test_a_pass_lasts_a_day_at_most(lab, root) -> None:
    with pytest.raises(CallError, match="cannot hold for 2 days, 0:00:00; expected at most 24"):
        make_pass(lab, root, "brain", timedelta(days=2))
