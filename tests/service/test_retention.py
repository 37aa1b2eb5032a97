"""What is kept for a time only is deleted when that has passed, and nothing else is."""

import os
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, select

from gateway.records.access_tables import AuditRow
from gateway.records.database import reading, writing
from gateway.records.work_tables import JobRow
from gateway.service.access.actor import Actor
from gateway.service.access.audit import note
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.jobs.journal import Journal
from gateway.service.retention import forget_old

LATER = datetime.now(UTC) + timedelta(days=31)


def put_job(gateway, name: str, *, status: str, ended: datetime | None) -> Journal:
    now = datetime.now(UTC)
    values = {"id": name, "person": "ana", "tool": "t", "call": {}, "options": {}, "stop": False}
    with writing(gateway.database) as connection:
        row = {**values, "status": status, "asked": now, "made": now, "ended": ended}
        connection.execute(insert(JobRow).values(**row))
    journal = Journal(gateway, name)
    journal.say(status)
    return journal


def test_the_journals_of_jobs_that_ended_long_ago_are_deleted(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GATEWAY_KEEP_JOURNALS_DAYS", "30")
    home = tmp_path / "home"
    init_home(home)
    with (gateway := open_gateway(home)).catalogue:
        old = put_job(gateway, "old", status="done", ended=datetime.now(UTC))
        late = put_job(gateway, "late", status="failed", ended=LATER - timedelta(days=1))
        live = put_job(gateway, "live", status="running", ended=None)
        assert forget_old(gateway).journals == 0
        assert forget_old(gateway, LATER).journals == 1
        assert not old.folder.exists()
        assert list(old.lines()) == []
        assert old.log_tail() == ""
        assert late.folder.exists()
        assert live.folder.exists()
        with reading(gateway.database) as connection:
            assert connection.scalar(select(func.count()).select_from(JobRow)) == 3


def test_a_folder_that_is_written_into_stays(tmp_path) -> None:
    home = tmp_path / "home"
    init_home(home)
    with (gateway := open_gateway(home)).catalogue:
        journal = put_job(gateway, "old", status="done", ended=datetime.now(UTC))
        at = datetime.now(UTC) + timedelta(days=200)
        os.utime(journal.events, (at.timestamp(), at.timestamp()))
        assert forget_old(gateway, at).journals == 0
        assert journal.folder.exists()


def test_old_lines_of_the_audit_log_are_deleted(tmp_path, monkeypatch) -> None:
    home = tmp_path / "home"
    init_home(home)
    monkeypatch.setenv("GATEWAY_KEEP_AUDIT_DAYS", "30")
    count = select(func.count()).select_from(AuditRow)
    with (gateway := open_gateway(home)).catalogue:
        note(gateway, Actor(person="ana"), "role given", "brain")
        assert forget_old(gateway).audit_lines == 0
        assert forget_old(gateway, LATER).audit_lines == 1
        with reading(gateway.database) as connection:
            assert connection.scalar(count) == 0


def test_zero_days_keeps_for_ever(tmp_path, monkeypatch) -> None:
    home = tmp_path / "home"
    init_home(home)
    for name in ("JOURNALS", "AUDIT"):
        monkeypatch.setenv(f"GATEWAY_KEEP_{name}_DAYS", "0")
    with (gateway := open_gateway(home)).catalogue:
        journal = put_job(gateway, "old", status="done", ended=datetime.now(UTC))
        note(gateway, Actor(person="ana"), "role given", "brain")
        forgotten = forget_old(gateway, LATER + timedelta(days=10_000))
        assert (forgotten.journals, forgotten.audit_lines) == (0, 0)
        assert journal.folder.exists()
