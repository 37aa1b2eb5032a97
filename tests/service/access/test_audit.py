"""The audit log: read by administrators and by owners, filtered, page by page."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import ForbiddenError
from gateway.service.access import audit
from gateway.service.access.actor import Actor, Role
from gateway.service.access.audit import AuditFilter, list_actions, note, note_opened, read_audit
from gateway.service.access.grants import give_role, grant
from gateway.service.access.links import make_link, revoke_link
from gateway.service.access.people import change_person


def actions(lab, actor, **wanted):
    return [line.action for line in read_audit(lab, actor, AuditFilter(**wanted))]


def test_sharing_is_written_down(lab, root) -> None:
    link, token = make_link(lab, root, "brain", note="for Bo")
    revoke_link(lab, root, link)
    give_role(lab, root, "brain", "person:ana", Role.VIEWER)
    lines = read_audit(lab, root, AuditFilter(dataset="brain"))
    assert [line.action for line in lines] == ["role given", "link revoked", "link made"]
    assert lines[0].detail == {"subject": "person:ana", "role": "viewer", "before": "none"}
    assert lines[2].detail["link"] == link
    assert token not in repr(lines)


def test_opening_is_written_once_an_hour(lab, root, ana, monkeypatch) -> None:
    for _ in range(3):
        note_opened(lab, ana, "brain")
    note_opened(lab, root, "brain")
    note_opened(lab, ana, "other")
    monkeypatch.setattr(audit, "_seen", {})  # as another process sees it
    note_opened(lab, ana, "brain")
    lines = read_audit(lab, root, AuditFilter(action="opened"))
    assert [(line.who, line.dataset) for line in lines] == [
        ("ana", "other"),
        ("root", "brain"),
        ("ana", "brain"),
    ]


def test_who_may_read_it(lab, root, ana) -> None:
    note(lab, root, "looked", "brain")
    note(lab, root, "looked", "other")
    for role in (Role.NONE, Role.VIEWER, Role.ANNOTATOR, Role.EDITOR):
        grant(lab, "brain", "person:ana", role)
        with pytest.raises(ForbiddenError):
            actions(lab, ana, dataset="brain")
    grant(lab, "brain", "person:ana", Role.OWNER)
    assert actions(lab, ana, dataset="brain") == ["looked"]
    for wanted in ({}, {"dataset": "other"}, {"who": "ana"}):
        with pytest.raises(ForbiddenError):
            actions(lab, ana, **wanted)
    assert len(actions(lab, root)) == 2


def test_filters_and_pages(lab, root) -> None:
    for number in range(7):
        note(lab, Actor(person=f"p{number % 2}"), f"did {number}")
    page = read_audit(lab, root, AuditFilter(limit=3))
    assert [line.action for line in page] == ["did 6", "did 5", "did 4"]
    assert actions(lab, root, limit=3, before=page[-1].id) == ["did 3", "did 2", "did 1"]
    assert actions(lab, root, who="p1") == ["did 5", "did 3", "did 1"]
    assert actions(lab, root, action="did 2") == ["did 2"]
    assert actions(lab, root, since=datetime.now(UTC) + timedelta(minutes=1)) == []
    assert len(actions(lab, root, since=datetime.now(UTC) - timedelta(minutes=1))) == 7
    assert list_actions(lab)[:2] == ["did 0", "did 1"]


def test_what_was_done_to_somebody_is_found_by_their_name(lab, root) -> None:
    change_person(lab, root, "ana", display="Ana")
    note(lab, root, "other")
    assert actions(lab, root, who="ana") == ["person changed"]
