"""The watch sees every change of rights, made anywhere, and nothing else."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import StoreError
from gateway.service.access.actor import Role
from gateway.service.access.audit import note
from gateway.service.access.changes import AccessWatch
from gateway.service.access.grants import grant
from gateway.service.access.groups import add_member, remove_member
from gateway.service.access.links import make_link, revoke_link
from gateway.service.access.people import change_person, ensure_person
from gateway.service.access.sessions import end_session, open_session


@pytest.fixture
def watch(lab):
    watch = AccessWatch(lab)
    yield watch
    watch.close()


def test_every_change_of_rights_is_seen(lab, root, watch) -> None:
    link, _ = make_link(lab, root, "brain")
    session = open_session(lab, "ana")
    changes = (
        lambda: grant(lab, "brain", "person:ana", Role.VIEWER),
        lambda: grant(lab, "brain", "person:ana", Role.NONE),
        lambda: revoke_link(lab, root, link),
        lambda: end_session(lab, session),
        lambda: add_member(lab, root, "lab", "ana"),
        lambda: remove_member(lab, root, "lab", "ana"),
        lambda: change_person(lab, root, "ana", active=False),
        lambda: ensure_person(lab, "new"),
    )
    for change in changes:
        before = watch.version()
        assert watch.version() == before
        change()
        assert watch.version() != before


def test_other_writes_are_no_change(lab, root, watch) -> None:
    before = watch.version()
    note(lab, root, "looked around")
    open_session(lab, "ana")
    assert watch.version() == before


def test_a_change_of_another_process_is_seen(lab, watch) -> None:
    before = watch.version()
    script = (
        "import sys; from pathlib import Path; from gateway.service.gateway import open_gateway;"
        "from gateway.service.access.grants import grant;"
        "from gateway.service.access.actor import Role;"
        "grant(open_gateway(Path(sys.argv[1])), 'brain', 'person:ana', Role.VIEWER)"
    )
    subprocess.run([sys.executable, "-c", script, str(lab.home)], check=True)
    assert watch.version() != before


def test_threads_may_share_a_watch(watch) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: watch.version(), range(400)))) == 1


def test_a_connection_that_broke_is_made_anew(lab, watch) -> None:
    before = watch.version()
    watch._connection.close()
    watch._connection = type("Broken", (), {"cursor": _broken(lab), "close": lambda _: None})()
    assert watch.version() == before


def test_a_database_that_is_gone_is_told_and_nothing_relied_on(lab, watch) -> None:
    watch.version()
    with lab.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE access_version RENAME TO gone")
    with pytest.raises(StoreError, match="cannot be checked"):
        watch.version()


def _broken(lab):
    failure = lab.database.dialect.loaded_dbapi.OperationalError

    def cursor(_):
        raise failure("the server closed the connection")

    return cursor
