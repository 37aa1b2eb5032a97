"""A database that is damaged, locked, unreachable or of the wrong kind is named with a way out."""

import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.errors import SettingsError, StoreError
from gateway.records.catalogue import open_catalogue
from gateway.records.database import writing
from gateway.records.rows import DatasetRecord
from gateway.records.turns import Turns


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


def test_many_who_write_at_once_wait_for_one_another_longer_than_for_other_processes(
    file: Path,
) -> None:
    with (
        open_catalogue(f"sqlite:///{file}", wait_s=0.2) as one,
        open_catalogue(f"sqlite:///{file}", wait_s=0.2) as other,
    ):

        def write(number: int) -> None:
            with writing((one, other)[number % 2].engine) as connection:
                connection.execute(text("SELECT count(*) FROM datasets"))
                time.sleep(0.03)  # all together take several times as long as one may wait

        with ThreadPoolExecutor(40) as pool:
            list(pool.map(write, range(40)))


def test_turns_are_taken_in_the_order_of_coming_and_not_within_ones_own() -> None:
    turns, order = Turns(), list[int]()

    def take(number: int) -> None:
        with turns.turn():
            order.append(number)

    with turns.turn():
        with pytest.raises(RuntimeError, match="waits for itself"), turns.turn():
            pass
        threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
        for place, thread in enumerate(threads):
            thread.start()
            while len(turns._line) < place + 2:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(20))
    with pytest.raises(ValueError, match="of a writer"), turns.turn():
        raise ValueError("of a writer")
    with turns.turn():
        pass  # the one before gave it back


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
