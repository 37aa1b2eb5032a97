"""Open files: a bounded number, the right content after a replacement, nothing from outside."""

import os
import threading
from pathlib import Path

import pytest

from gateway.errors import NotFoundError, StoreError
from gateway.service.view.served_disks import is_slow_disk
from gateway.service.view.served_files import Files, OpenFile


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "raw.ome.zarr"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "a").write_bytes(b"abcdef")
    return folder.resolve()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_file_stays_open_and_is_read_at_any_place(root) -> None:
    files = Files()
    first = files.open(str(root), "0/a")
    assert files.open(str(root), "0/a") is first
    assert (first.size, first.read(2, 3)) == (6, b"cde")
    assert first.at_hand(0, 6)


def test_no_more_files_stay_open_than_allowed(root) -> None:
    for number in range(50):
        (root / f"f{number}").write_bytes(b"%d" % number)
    files = Files(limit=8)
    before = descriptors()
    for turn in range(100):
        number = turn * 7 % 50
        assert files.open(str(root), f"f{number}").read(0, len(str(number))) == b"%d" % number
    assert len(files) == 8
    assert descriptors() <= before + 8


def test_a_file_in_use_outlives_its_place_in_the_set(root) -> None:
    """A descriptor that is closed too early would be another file's by then."""
    (root / "b").write_bytes(b"other!")
    files = Files(limit=1)
    held = files.open(str(root), "0/a")
    files.open(str(root), "b")
    opened = [(root / "b").open("rb") for _ in range(5)]
    assert held.read(0, 6) == b"abcdef"
    for file in opened:
        file.close()


def test_a_replaced_file_is_another_one(root) -> None:
    files = Files()
    old = files.open(str(root), "0/a")
    other = root / "other"
    other.write_bytes(b"ABCDEF")
    os.utime(other, ns=(old.identity[1], old.identity[1]))
    other.replace(root / "0" / "a")
    new = files.open(str(root), "0/a")
    assert (new.read(0, 6), old.read(0, 6)) == (b"ABCDEF", b"abcdef")
    assert new.etag != old.etag
    (root / "0" / "a").unlink()
    with pytest.raises(NotFoundError):
        files.open(str(root), "0/a")
    assert len(files) == 0


def test_a_changed_file_has_another_tag(root) -> None:
    files = Files()
    old = files.open(str(root), "0/a")
    (root / "0" / "a").write_bytes(b"abc")
    new = files.open(str(root), "0/a")
    assert (new.size, new.etag != old.etag) == (3, True)
    with pytest.raises(StoreError, match="became shorter"):
        old.read(0, 6)


@pytest.mark.parametrize(
    "key", ["0", "none", "0/a/b", "out", "folder/secret", "loop", "pipe", "y/" * 3000]
)
def test_what_is_no_file_inside_is_not_there(root, key) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "out").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    before = descriptors()
    with pytest.raises(NotFoundError):
        Files().open(str(root), key)
    assert descriptors() == before


def test_a_link_that_stays_inside_is_followed_until_it_leads_out(root) -> None:
    outside = root.parent / "raw.ome.zarr.secret"  # whose name begins alike
    outside.write_text("secret")
    (root / "link").symlink_to("0/a")
    files = Files()
    assert files.open(str(root), "link").read(0, 6) == b"abcdef"
    (root / "link").unlink()
    (root / "link").symlink_to(outside)
    with pytest.raises(NotFoundError):
        files.open(str(root), "link")


def test_many_threads_share_the_set(root) -> None:
    for number in range(20):
        (root / f"f{number}").write_bytes(b"%02d" % number)
    files = Files(limit=4)
    wrong: list[int] = []

    def read(seed: int) -> None:
        for turn in range(300):
            number = (turn * 7 + seed) % 20
            if files.open(str(root), f"f{number}").read(0, 2) != b"%02d" % number:
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_this_machine_s_disks_are_told_from_those_of_a_network(root, monkeypatch, tmp_path) -> None:
    assert not is_slow_disk(root.stat().st_dev)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "36 35 98:0 / /mnt rw,noatime shared:1 - ext4 /dev/root rw\n"
        "37 35 0:51 / /lab rw shared:2 - nfs4 server:/lab rw\n"
        "38 35 0:52 / /cloud rw - fuse.sshfs host: rw\n"
    )
    monkeypatch.setattr("gateway.service.view.served_disks._MOUNTS", mounts)
    is_slow_disk.cache_clear()
    devices = [os.makedev(*numbers) for numbers in ((98, 0), (0, 51), (0, 52), (0, 53))]
    assert [is_slow_disk(device) for device in devices] == [False, True, True, False]
    descriptor = os.open(root / "0" / "a", os.O_RDONLY)
    file = OpenFile(descriptor, os.fstat(descriptor))
    file.slow = True
    assert not file.at_hand(0, 6)
    is_slow_disk.cache_clear()
