"""What every store must keep, told once and run over all of them."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import ExistsError, NotFoundError, RefError, StoreError
from gateway.volumes.dataset import (
    DatasetInfo,
    find_entry,
    list_datasets,
    list_entries,
    read_dataset,
    write_dataset,
)
from gateway.volumes.keys import Listing
from gateway.volumes.points import open_points, write_points
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import Store, open_store

WRITABLE = ["local", pytest.param("s3", marks=pytest.mark.s3)]


@pytest.fixture(params=WRITABLE)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_url"))
    return open_store(tmp_path / "store", create=True)


@pytest.fixture(params=[*WRITABLE, "http"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return a store that holds one dataset, whatever wrote it."""
    if request.param == "http":
        folder, server = request.getfixturevalue("web_folder")
        _fill(open_store(folder))
        yield open_store(server.url)
        return
    url = request.getfixturevalue("s3_url") if request.param == "s3" else tmp_path / "store"
    store = open_store(url, create=True)
    _fill(store)
    yield store


def _fill(store: Store) -> None:
    store.put("m1/dataset.json", b'{"title": "one"}')
    store.put("m1/raw.ome.zarr/zarr.json", b"{}")
    store.put("index.json", b'{"folders": ["m1"], "files": []}')
    index = b'{"folders": ["raw.ome.zarr"], "files": ["dataset.json", "spots.points.parquet"]}'
    store.put("m1/index.json", index)
    at = np.arange(50_000.0)
    write_points(store, "m1/spots.points.parquet", {"z_um": at, "y_um": at, "x_um": at})


def _spec(store: Store, key: str) -> dict[str, Any]:
    return {"driver": "zarr3", "kvstore": store.kvstore(key)}


def test_reads_what_was_put(filled: Store) -> None:
    assert filled.get("m1/dataset.json") == b'{"title": "one"}'
    assert filled.exists("m1/raw.ome.zarr/zarr.json")
    assert filled.exists("m1")
    assert not filled.exists("m2")
    assert not filled.exists("m1/raw.ome.zarr/zarr.json.bak")


def test_reads_a_file_at_any_place(filled: Store) -> None:
    with filled.open("m1/dataset.json") as stream:
        assert stream.read(3) == b'{"t'
        stream.seek(-2, 2)
        assert stream.read() == b'"}'
        assert stream.tell() == 16


def test_says_what_is_missing(filled: Store) -> None:
    with pytest.raises(NotFoundError, match=r"there is no m1/none\.json in the store"):
        filled.get("m1/none.json")
    with pytest.raises(NotFoundError, match="there is no m1/none in the store"):
        filled.open("m1/none")


def test_finds_datasets_and_entries(filled: Store) -> None:
    assert list_datasets(filled) == ("m1",)
    assert read_dataset(filled, "m1").title == "one"
    found = [(str(entry.ref), entry.kind) for entry in list_entries(filled, "m1")]
    assert found == [("m1/raw", "image"), ("m1/spots", "points")]
    entry = find_entry(filled, parse_ref("m1/raw"))
    assert entry is not None
    assert entry.key == "m1/raw.ome.zarr"
    assert find_entry(filled, parse_ref("m1/absent")) is None


def test_reads_only_the_rows_asked(filled: Store) -> None:
    table = open_points(filled, "m1/spots.points.parquet")
    assert table.count == 50_000
    assert table.read(((10, 10, 10), (12, 12, 12)))["z_um"].tolist() == [10, 11]


@pytest.mark.parametrize(
    "key", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/", ".", "a\\b", "a\0b", "a\u202eb"]
)
def test_refuses_keys_that_would_leave(filled: Store, key: str) -> None:
    for use in (filled.get, filled.open, filled.exists, filled.list, filled.kvstore):
        with pytest.raises(RefError, match="is refused"):
            use(key)
    with pytest.raises(RefError, match="is refused"):
        filled.local_path(key)


def test_opens_again_by_its_url(filled: Store) -> None:
    assert open_store(filled.url).get("m1/dataset.json") == b'{"title": "one"}'


def test_lists_one_level(store: Store) -> None:
    for key in ("b/2", "b/1", "b/deep/3", "a/x", "top"):
        store.put(key, b"content")
    assert store.list("") == Listing(("a", "b"), ("top",))
    assert store.list("b") == Listing(("deep",), ("1", "2"))
    assert store.list("nowhere") == Listing((), ())


def test_replaces_and_deletes(store: Store) -> None:
    store.put("a/x", b"old")
    store.put("a/x", b"new")
    assert store.get("a/x") == b"new"
    store.put("ab", b"neighbour")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a/x")
    assert store.get("ab") == b"neighbour"
    with pytest.raises(RefError, match="deleting the whole store"):
        store.delete("")


NAMES = st.sampled_from(["a", "a/b", "a/b/c", "ab", "d/zarr.json", "d/0/c", "e"])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete", "publish"]), NAMES, NAMES), max_size=8)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_does_what_a_dictionary_would(store: Store, steps: list[tuple[str, str, str]]) -> None:
    """Keep a model beside the store; where a folder would take the place of a file, leave it."""
    for name in (*store.list().folders, *store.list().files):
        store.delete(name)
    model: dict[str, bytes] = {}
    folders: set[str] = set()  # a folder store keeps them when they are empty

    def free(key: str) -> bool:
        return key not in folders and not any(key.startswith(f"{known}/") for known in model)

    for number, (step, key, other) in enumerate(steps):
        if step == "put" and free(key):
            content = model[key] = f"{key} {number}".encode()
            store.put(key, content)
            folders |= set(map(str, PurePosixPath(key).parents))
        if step == "delete":
            store.delete(key)
            model = {k: v for k, v in model.items() if not f"{k}/".startswith(f"{key}/")}
        if step == "publish" and key in model and other not in model and free(other):
            store.publish(key, other)
            model[other] = model.pop(key)
            folders |= set(map(str, PurePosixPath(other).parents))
    assert {key: store.get(key) for key in _all_keys(store)} == model


def _all_keys(store: Store, prefix: str = "") -> Iterator[str]:
    listing = store.list(prefix)
    yield from (f"{prefix}{'/' if prefix else ''}{name}" for name in listing.files)
    for name in listing.folders:
        yield from _all_keys(store, f"{prefix}/{name}" if prefix else name)


def test_publishes_a_file_once(store: Store) -> None:
    store.put("m1/.staging/r/p", b"first")
    store.publish("m1/.staging/r/p", "m1/p.points.parquet")
    assert store.get("m1/p.points.parquet") == b"first"
    assert not store.exists("m1/.staging/r/p")
    store.put("m1/.staging/r/p", b"second")
    with pytest.raises(ExistsError, match=r"m1/p\.points\.parquet already exists"):
        store.publish("m1/.staging/r/p", "m1/p.points.parquet")
    assert store.get("m1/p.points.parquet") == b"first"


def test_publishes_a_volume_once(store: Store) -> None:
    def stage(content: bytes) -> None:
        store.put("m1/.staging/r/v/0/c/0/0", content)
        store.put("m1/.staging/r/v/0/zarr.json", b"{}")
        store.put("m1/.staging/r/v/zarr.json", b"{}")

    stage(b"first")
    store.publish("m1/.staging/r/v", "m1/v.ome.zarr")
    stage(b"second")
    with pytest.raises(ExistsError, match=r"m1/v\.ome\.zarr already exists"):
        store.publish("m1/.staging/r/v", "m1/v.ome.zarr")
    assert store.get("m1/v.ome.zarr/0/c/0/0") == b"first"
    assert [entry.key for entry in list_entries(store, "m1")] == ["m1/v.ome.zarr"]


def test_publishes_nothing_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFoundError, match="nothing is staged at m1/x"):
        store.publish("m1/x", "m1/y")


def test_a_volume_without_its_root_file_is_not_seen(store: Store) -> None:
    store.put("m1/half.ome.zarr/0/c/0/0", b"content")
    assert list_entries(store, "m1") == ()
    assert find_entry(store, parse_ref("m1/half")) is None


def test_tensorstore_moves_voxels_through_it(store: Store) -> None:
    spec = _spec(store, "m1/v")
    array = ts.open(spec, create=True, dtype=ts.uint16, shape=[4, 5]).result()
    array[...] = np.arange(20, dtype=np.uint16).reshape(4, 5)
    again = ts.open(_spec(store, "m1/v")).result()
    assert again[2].read().result().tolist() == [10, 11, 12, 13, 14]
    assert store.exists("m1/v/zarr.json")


def test_keeps_what_a_dataset_says_of_its_sample(store: Store) -> None:
    info = DatasetInfo(title="Gehirn é", species="Mus musculus", people=("A", "B"))
    write_dataset(store, "m1", info)
    assert read_dataset(store, "m1") == info
    store.put("m2/x", b"")
    assert read_dataset(store, "m2") == DatasetInfo()
    with pytest.raises(NotFoundError, match=r"no dataset 'm3' .* there is: m1, m2"):
        read_dataset(store, "m3")
    with pytest.raises(NotFoundError, match="no dataset 'm3'"):
        list_entries(store, "m3")


def test_a_web_server_refuses_writing_and_listing(web_folder: Any) -> None:
    _, server = web_folder
    store = open_store(server.url)
    assert not store.writable
    assert store.local_path("x") is None
    assert store.free_bytes() is None
    for act in (lambda: store.put("x", b""), lambda: store.delete("x")):
        with pytest.raises(StoreError, match="is a web server and read-only"):
            act()
    with pytest.raises(StoreError, match="read-only"):
        store.publish("x", "y")
    with pytest.raises(StoreError, match=r"cannot list 'm1': it has no m1/index\.json"):
        store.list("m1")


def test_a_public_server_that_forbids_what_is_not_there(web_folder: Any) -> None:
    folder, server = web_folder
    server.missing_status = 403
    (folder / "there").write_bytes(b"content")
    store = open_store(server.url)
    assert store.exists("there")
    assert not store.exists("gone")
    with pytest.raises(NotFoundError, match=r"there is no gone in .*, or it is not public .*403"):
        store.get("gone")


def test_a_server_that_is_gone_is_named() -> None:
    for url in ("http://127.0.0.1:9/x", "s3://bucket/x?endpoint=http://127.0.0.1:9"):
        with pytest.raises(StoreError, match=r"failed at 'm1/a'.*check the address"):
            open_store(url).get("m1/a")


@pytest.mark.s3
def test_a_bucket_that_is_not_there_is_named(s3_url: str) -> None:
    store = open_store(s3_url.replace("bucket-", "nowhere-"))
    for use in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: store.list("")):
        with pytest.raises(StoreError, match="has no such bucket"):
            use()


def test_an_anonymous_visitor_does_not_write() -> None:
    store = open_store("s3://bucket/x?anonymous=true")
    assert not store.writable
    assert store.kvstore("a")["aws_credentials"] == {"type": "anonymous"}
    with pytest.raises(StoreError, match="opened with anonymous=true"):
        store.put("a", b"")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/x", "no store serves 'ftp://host/x': scheme 'ftp'"),
        ("s3:///x", "expected s3://BUCKET/PREFIX"),
        ("s3://bucket/x?colour=red", "'s3://bucket/x' is not understood"),
        ("s3://key:secret@bucket/x", "'s3://bucket/x' is not understood"),
        ("s3://bucket/../x", "would leave its folder"),
        ("http://user:secret@host/x", "'http://host/x' is not understood"),
        ("https://host/x?token=secret", "'https://host/x' is not understood"),
    ],
)
def test_refuses_odd_urls_and_repeats_no_secret(url: str, message: str) -> None:
    with pytest.raises(RefError, match=message.replace("?", r"\?")) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
