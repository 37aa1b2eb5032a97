"""Share links: what they open, and that they end, on each database."""

import time
from datetime import timedelta

import numpy as np
import pytest

from gateway.errors import CallError, ForbiddenError, NotFoundError
from gateway.records.database import writing
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.links import (
    find_link,
    link_actor,
    link_token,
    list_links,
    make_link,
    revoke_link,
)
from gateway.service.access.people import change_person
from gateway.service.access.rights import (
    require,
    require_part,
    role_on,
    visible_datasets,
    visible_entries,
)
from gateway.volumes.points import write_points


@pytest.fixture
def volume(lab) -> str:
    for name in ("raw", "secret"):
        columns = {axis: np.zeros(1) for axis in ("z_um", "y_um", "x_um")}
        write_points(lab.store, f"brain/{name}.points.parquet", columns)
    return "raw"


def test_a_link_opens_its_dataset_and_no_other(lab, root) -> None:
    link, token = make_link(lab, root, "brain")
    actor = link_actor(lab, token)
    assert actor.name == f"link:{link}"
    assert role_on(lab, actor, "brain") is Role.VIEWER
    assert role_on(lab, actor, "brain", "anything") is Role.VIEWER
    assert role_on(lab, actor, "other") is Role.NONE
    assert visible_datasets(lab, actor) == {"brain"}
    assert visible_entries(actor) is None


def test_a_link_to_one_thing_opens_nothing_else(lab, root, volume) -> None:
    _, token = make_link(lab, root, "brain", volume, Role.ANNOTATOR)
    actor = link_actor(lab, token)
    assert role_on(lab, actor, "brain", volume) is Role.ANNOTATOR
    assert role_on(lab, actor, "brain", "secret") is Role.NONE
    assert role_on(lab, actor, "brain") is Role.NONE
    assert visible_entries(actor) == {volume}
    require_part(lab, actor, "brain")
    with pytest.raises(ForbiddenError, match="this needs editor"):
        require_part(lab, actor, "brain", Role.EDITOR)
    with pytest.raises(ForbiddenError, match="no role on"):
        require_part(lab, actor, "other")


def test_a_revoked_link_is_refused_at_once_and_for_good(lab, root) -> None:
    link, token = make_link(lab, root, "brain")
    link_actor(lab, token)
    revoke_link(lab, root, link)
    with pytest.raises(ForbiddenError, match="revoked; ask root"):
        link_actor(lab, token)
    revoke_link(lab, root, link)
    with pytest.raises(ForbiddenError, match="revoked"):
        link_actor(lab, link_token(lab, root, link))


def test_an_expired_link_is_refused_and_says_until_when_it_held(lab, root) -> None:
    link, token = make_link(lab, root, "brain", life=timedelta(seconds=1))
    until = link_actor(lab, token).until
    assert until == find_link(lab, link).expires.timestamp()
    time.sleep(max(0.0, until - time.time()) + 0.01)
    with pytest.raises(ForbiddenError, match="expired"):
        link_actor(lab, token)
    assert find_link(lab, link).status == "expired"


def test_a_tampered_or_foreign_token_is_refused_without_repeating_it(lab, root) -> None:
    _, token = make_link(lab, root, "brain")
    body, _, signature = token.rpartition(".")
    other, _ = make_link(lab, root, "other")
    swapped = f"{link_token(lab, root, other).rpartition('.')[0]}.{signature}"
    flipped = f"{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    for forged in (swapped, flipped, body, "", "x", "é\x00", "." * 5000, f"{token}A", token[:-1]):
        with pytest.raises(ForbiddenError, match="not valid") as caught:
            link_actor(lab, forged)
        assert len(forged) < 2 or forged not in str(caught.value)


def test_a_link_whose_row_is_gone_is_refused(lab, root) -> None:
    _, token = make_link(lab, root, "brain")
    with writing(lab.database) as connection:
        connection.exec_driver_sql("DELETE FROM links")
    with pytest.raises(ForbiddenError, match="not valid"):
        link_actor(lab, token)


def test_only_owners_make_list_and_revoke(lab, root, ana) -> None:
    link, token = make_link(lab, root, "brain")
    for role in (Role.NONE, Role.VIEWER, Role.ANNOTATOR, Role.EDITOR):
        grant(lab, "brain", "person:ana", role)
        for attempt in (
            lambda: make_link(lab, ana, "brain"),
            lambda: list_links(lab, ana, "brain"),
            lambda: revoke_link(lab, ana, link),
            lambda: link_token(lab, ana, link),
        ):
            with pytest.raises(ForbiddenError, match="this needs owner"):
                attempt()
    with pytest.raises(ForbiddenError):
        make_link(lab, link_actor(lab, token), "brain")
    grant(lab, "brain", "person:ana", Role.OWNER)
    mine, _ = make_link(lab, ana, "brain", note=" for Bo ")
    assert [(item.id, item.note) for item in list_links(lab, ana, "brain")] == [
        (mine, "for Bo"),
        (link, ""),
    ]


def test_bounds_and_what_is_not_there_are_told(lab, root) -> None:
    with pytest.raises(CallError, match="cannot be owner; expected viewer or annotator"):
        make_link(lab, root, "brain", None, Role.OWNER)
    with pytest.raises(CallError, match="at most 366 days"):
        make_link(lab, root, "brain", life=timedelta(days=367))
    with pytest.raises(CallError, match="cannot hold"):
        make_link(lab, root, "brain", life=timedelta(0))
    with pytest.raises(CallError, match="201 characters; at most 200"):
        make_link(lab, root, "brain", note="x" * 201)
    with pytest.raises(NotFoundError, match="nothing called 'raw' in brain"):
        make_link(lab, root, "brain", "raw")
    with pytest.raises(NotFoundError, match="no share link 'nope'"):
        revoke_link(lab, root, "nope")


def test_the_links_of_somebody_who_is_deactivated_end(lab, root, ana) -> None:
    grant(lab, "brain", "person:ana", Role.OWNER)
    _, token = make_link(lab, ana, "brain")
    change_person(lab, root, "ana", active=False, heir="bo")
    with pytest.raises(ForbiddenError, match="revoked"):
        link_actor(lab, token)
    require(lab, Actor(person="bo"), "brain", Role.OWNER)
