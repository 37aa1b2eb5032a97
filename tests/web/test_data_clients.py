"""Stock programs open a private volume through a share link, and none without it."""

import json
from typing import Any

import httpx
import numpy as np
import obstore.store
import ome_zarr_models
import pytest
import tensorstore as ts
import zarr
from zarr.storage import ObjectStore

from gateway.service.access.actor import Actor
from gateway.service.access.links import make_link, revoke_link

OWNER = Actor(person="root", administrator=True)
RAW = "data/brain/raw.ome.zarr"


@pytest.fixture(scope="module")
def voxels(shared_server: Any, put_volume: Any) -> Any:
    store = shared_server.gateway.store
    put_volume(store, "brain/regions", labels=True)
    return put_volume(store, "brain/raw")


@pytest.fixture
def link(shared_server: Any, voxels: Any) -> tuple[str, str]:
    """Return the id of a share link, and its address."""
    del voxels
    number, token = make_link(shared_server.gateway, OWNER, "brain")
    return number, f"{shared_server.url}/s/{token}"


def open_zarr(url: str) -> zarr.Group:
    client = obstore.store.HTTPStore.from_url(url, client_options={"allow_http": True})
    return zarr.open_group(ObjectStore(client, read_only=True), mode="r")


def open_tensorstore(url: str) -> Any:
    spec = {"driver": "zarr3", "kvstore": {"driver": "http", "base_url": url}}
    return ts.open(spec, open=True, read=True).result()


def test_zarr_python_reads_it(link, voxels) -> None:
    group = open_zarr(f"{link[1]}/{RAW}/")
    assert group.attrs["ome"]["version"] == "0.5"
    np.testing.assert_array_equal(group["0"][:], voxels)
    np.testing.assert_array_equal(group["0"][0, 3:9, 5:20, -7:], voxels[0, 3:9, 5:20, -7:])


def test_tensorstore_reads_it(link, voxels) -> None:
    array = open_tensorstore(f"{link[1]}/{RAW}/0/")
    np.testing.assert_array_equal(array.read().result(), voxels)
    np.testing.assert_array_equal(
        array[0, 60:70, 50:60, :9].read().result(), voxels[0, 60:, 50:, :9]
    )


@pytest.mark.parametrize("name", ["raw", "regions"])
def test_ome_zarr_models_finds_it_valid(link, name) -> None:
    group = open_zarr(f"{link[1]}/data/brain/{name}.ome.zarr/")
    found = ome_zarr_models.open_ome_zarr(group)
    assert found.ome_zarr_version == "0.5"
    assert found.attributes.ome.multiscales[0].datasets[0].path == "0"


def test_neuroglancer_s_requests_are_answered(link) -> None:
    """What the client sends for a sharded volume: HEAD of the shard, its index, then chunks."""
    shard = f"{link[1]}/{RAW}/0/c/0/0/0/0"
    origin = {"Origin": "https://neuroglancer-demo.appspot.com"}
    size = int(httpx.head(shard, headers=origin).headers["content-length"])
    index = httpx.get(shard, headers={**origin, "Range": "bytes=-100"})
    assert index.status_code == 206
    assert index.headers["content-range"] == f"bytes {size - 100}-{size - 1}/{size}"
    assert "Content-Range" in index.headers["access-control-expose-headers"]
    assert index.headers["access-control-allow-origin"] == "*"
    state = json.dumps({"layers": [{"source": f"{link[1]}/{RAW}/|zarr3:"}]})
    assert link[1] in state
    # it looks for other formats too, and must be told quickly that there are none
    for key in (".zarray", ".zattrs", ".zgroup", "attributes.json", "info"):
        missing = httpx.get(f"{link[1]}/{RAW}/{key}", headers=origin)
        assert missing.status_code == 404
        assert missing.headers["access-control-allow-origin"] == "*"


def test_nothing_opens_without_the_link_nor_after_it(shared_server, link, voxels) -> None:
    plain = f"{shared_server.url}/{RAW}/"
    assert httpx.get(f"{plain}zarr.json").status_code == 401
    with pytest.raises(ValueError, match="401"):
        open_tensorstore(f"{plain}0/")
    with pytest.raises(Exception, match="401"):
        open_zarr(plain)
    shared = f"{link[1]}/{RAW}/"
    array = open_tensorstore(f"{shared}0/")
    np.testing.assert_array_equal(array[0, 0].read().result(), voxels[0, 0])
    revoke_link(shared_server.gateway, OWNER, link[0])
    with pytest.raises(ValueError, match="403"):
        array[0, 1].read().result()
    with pytest.raises(Exception, match="403"):
        open_zarr(shared)
