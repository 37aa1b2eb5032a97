"""A folder that is full, read-only, gone, or laced with symbolic links."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import NotFoundError, RefError, StoreError
from gateway.volumes.dataset import list_datasets
from gateway.volumes.keys import Listing
from gateway.volumes.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte, or skip."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small file system that this test fills")
    refusal = _call("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    if refusal:
        pytest.skip(f"a small file system cannot be mounted here: {refusal}")
    yield folder
    assert _call("umount", "-l", str(folder)) == ""


def _call(program: str, *arguments: str) -> str:
    """Run a program of the system and return what it complained of."""
    command = [shutil.which(program) or program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="none does not exist; expected a folder"):
        open_store(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotFoundError, match="file is a file"):
        open_store(tmp_path / "file")


def test_opens_file_urls(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    assert open_store(f"file://{tmp_path}/a%20b").url == str(folder)


def test_a_full_disk_is_told_in_bytes_and_leaves_the_old_content(small_disk: Path) -> None:
    store = open_store(small_disk)
    store.put("m1/x", b"old")
    with pytest.raises(StoreError, match=r"no space left to write m1/x.*\(2,000,000 bytes\)") as e:
        store.put("m1/x", bytes(2_000_000))
    assert "bytes are free" in str(e.value)
    assert store.get("m1/x") == b"old"
    assert list((small_disk / "m1").iterdir()) == [small_disk / "m1" / "x"]
    assert 0 < (store.free_bytes() or 0) <= 2**20


def test_a_read_only_disk_is_told(small_disk: Path) -> None:
    open_store(small_disk).put("m1/x", b"content")
    assert _call("mount", "-o", "remount,ro", str(small_disk)) == ""
    store = open_store(small_disk)
    assert not store.writable
    assert store.get("m1/x") == b"content"
    for act in (
        lambda: store.put("m1/x", b"new"),
        lambda: store.delete("m1"),
        lambda: store.publish("m1/x", "m1/y"),
    ):
        with pytest.raises(StoreError, match="the store is read-only or belongs to another"):
            act()


def test_a_vanished_store_is_not_made_anew(store: Store) -> None:
    store.put("m1/x", b"content")
    shutil.rmtree(store.url)
    for act in (
        lambda: store.put("m1/x", b""),
        lambda: store.get("m1/x"),
        lambda: store.open("m1/x"),
        lambda: store.list("m1"),
        lambda: store.exists("m1/x"),
        lambda: store.publish("m1/x", "m1/y"),
    ):
        with pytest.raises(StoreError, match="has vanished: its folder is gone; mount the share"):
            act()
    assert not Path(store.url).exists()


def test_links_that_lead_out_are_refused(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = Path(store.url)
    (root / "m1").mkdir()
    (root / "m1" / "folder").symlink_to(outside)
    (root / "m1" / "file").symlink_to(outside / "secret")
    (root / "m1" / "new").symlink_to(outside / "not-there-yet")
    for key in ("m1/folder/secret", "m1/file"):
        for use in (store.get, store.open, store.exists, store.list, store.kvstore):
            with pytest.raises(RefError, match="leads out of the store"):
                use(key)
    for key in ("m1/folder/x", "m1/new"):
        with pytest.raises(RefError, match="leads out of the store"):
            store.put(key, b"")
    with pytest.raises(RefError, match="leads out of the store"):
        store.publish("m1/folder", "m1/inside")
    with pytest.raises(RefError, match="leads out of the store"):
        store.delete("m1/folder")
    assert list(outside.iterdir()) == [outside / "secret"]
    (root / "stolen").symlink_to(outside)
    assert store.list("m1") == Listing((), ())
    assert list_datasets(store) == ("m1",)


def test_links_inside_are_followed_and_removed_alone(store: Store) -> None:
    store.put("m1/x", b"content")
    (Path(store.url) / "m2").symlink_to("m1")
    assert store.get("m2/x") == b"content"
    store.delete("m2")
    assert store.get("m1/x") == b"content"
    assert not store.exists("m2")


def test_what_a_killed_writer_left_is_not_listed(store: Store) -> None:
    store.put("m1/x", b"content")
    (Path(store.url) / "m1" / ".put-0123").write_bytes(b"half")
    assert store.list("m1") == Listing((), ("x",))


def test_a_file_in_the_way_is_told(store: Store) -> None:
    store.put("m1", b"a file")
    with pytest.raises((StoreError, NotFoundError)):
        store.put("m1/x", b"content")
