"""A database that is damaged, locked, unreachable or of the wrong kind is named with a way out."""

import os
import sqlite3
from pathlib import Path

import pytest

from gateway.errors import SettingsError, StoreError
from gateway.records.catalogue import open_catalogue
from gateway.records.rows import DatasetRecord


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.sqlite"
    open_catalogue(f"sqlite:///{path}").close()
    return path


def test_a_locked_file_says_that_another_process_writes(file: Path) -> None:
    with open_catalogue(f"sqlite:///{file}", wait_s=0.1) as catalogue:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked; another process is writing"):
            catalogue.put_dataset(DatasetRecord(name="m1", info={}))
        assert catalogue.datasets() == []
        other.close()


def test_a_damaged_file_says_how_to_rebuild_it(file: Path) -> None:
    for tail in ("-wal", "-shm"):
        Path(f"{file}{tail}").unlink(missing_ok=True)
    file.write_bytes(b"not a database at all, but quite some text" * 100)
    with pytest.raises(StoreError, match=r"move it away and run `gateway catalog rebuild`"):
        open_catalogue(f"sqlite:///{file}")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check that its folder exists"):
        open_catalogue(f"sqlite:///{tmp_path / 'nowhere' / 'catalogue.sqlite'}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_file_is_named(file: Path) -> None:
    file.chmod(0o400)
    with pytest.raises(StoreError, match="make the file and its folder writable"):
        open_catalogue(f"sqlite:///{file}").put_dataset(DatasetRecord(name="m1", info={}))


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="check that its server runs") as caught:
        open_catalogue("postgresql://me:hunter2@127.0.0.1:1/gateway")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://host/db", "not a url", "oracle://x"])
def test_only_sqlite_and_postgresql_are_served(url: str) -> None:
    with pytest.raises(SettingsError, match="expected sqlite:///FILE or postgresql://"):
        open_catalogue(url)
