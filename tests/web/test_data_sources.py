"""Volumes that lie elsewhere, in other formats or in a bucket, are served as OME-Zarr 0.5."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tensorstore as ts
import zarr
from numpy.typing import NDArray

from gateway.service.access.actor import Role
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.link import register
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import open_store

Put = Callable[..., NDArray[Any]]


def random_voxels(*shape: int, dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(4).integers(0, 60_000, shape).astype(dtype)


def write_array(path: Path, driver: str, voxels: NDArray[Any], **extra: Any) -> None:
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/"}, **extra}
    ts.open(spec, create=True, dtype=voxels.dtype, shape=voxels.shape).result()[...] = voxels


def write_ome_0_4(path: Path) -> list[NDArray[Any]]:
    levels = [random_voxels(2, 40 >> i, 50 >> i, 60 >> i) for i in range(2)]
    for i, level in enumerate(levels):
        chunks = {"chunks": [1, 16, 16, 16], "dimension_separator": "/"}
        write_array(path / str(i), "zarr", level, metadata=chunks)
    space = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    axes = [{"name": "c", "type": "channel"}, *space]
    datasets = [
        {
            "path": str(i),
            "coordinateTransformations": [{"type": "scale", "scale": [1, 4 << i, 2 << i, 2 << i]}],
        }
        for i in range(2)
    ]
    multiscale = {"version": "0.4", "axes": axes, "datasets": datasets}
    (path / ".zattrs").write_text(json.dumps({"multiscales": [multiscale]}))
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    return levels


def write_precomputed(path: Path, dtype: str = "uint16") -> NDArray[Any]:
    voxels = random_voxels(60, 50, 40, 1, dtype=dtype)
    kind = "segmentation" if dtype == "uint64" else "image"
    info = {
        "multiscale_metadata": {"type": kind, "data_type": dtype, "num_channels": 1},
        "scale_metadata": {
            "size": [60, 50, 40],
            "encoding": "raw",
            "chunk_size": [32, 32, 32],
            "resolution": [500, 500, 2000],
        },
    }
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{path}/"}}
    ts.open({**spec, **info}, create=True).result()[...] = voxels
    return voxels[..., 0].T


def fetch(server: Any, client: httpx.Client, path: str) -> NDArray[Any]:
    """Read an array through TensorStore's HTTP driver, as the viewer would."""
    headers = [f"Authorization: {client.headers['authorization']}"]
    kvstore = {"driver": "http", "base_url": f"{server.url}{path}/", "headers": headers}
    return ts.open({"driver": "zarr3", "kvstore": kvstore}).result().read().result()


@pytest.fixture(scope="module")
def ana(shared_server: Any):
    with shared_server.client("ana", links=Role.VIEWER) as client:
        yield client


@pytest.fixture
def link(shared_server: Any) -> Callable[..., str]:
    """Return what registers a folder under a new name and returns the path of its bytes."""

    def make(name: str, url: object, options: OpenOptions | None = None) -> str:
        register(shared_server.gateway.store, parse_ref(f"links/{name}"), str(url), options)
        return f"/data/links/{name}.ome.zarr"

    return make


def test_ome_zarr_0_4_is_served_as_0_5(shared_server, ana, link, tmp_path) -> None:
    levels = write_ome_0_4(tmp_path / "old.zarr")
    path = link("old", tmp_path / "old.zarr")
    group = ana.get(f"{path}/zarr.json").json()["attributes"]["ome"]
    assert group["version"] == "0.5"
    assert [axis["name"] for axis in group["multiscales"][0]["axes"]] == list("czyx")
    scale = group["multiscales"][0]["datasets"][1]["coordinateTransformations"][0]
    assert scale == {"type": "scale", "scale": [1.0, 8.0, 4.0, 4.0]}
    assert str(tmp_path) not in ana.get(f"{path}/zarr.json").text
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(fetch(shared_server, ana, f"{path}/{number}"), level)


def test_made_chunks_have_tags_ranges_and_an_end(ana, link, tmp_path) -> None:
    write_ome_0_4(tmp_path / "old.zarr")
    path = link("tagged", tmp_path / "old.zarr")
    first = ana.get(f"{path}/0/c/0/0/0/0")
    assert first.status_code == 200
    tag = {"If-None-Match": first.headers["etag"]}
    assert ana.get(f"{path}/0/c/0/0/0/0", headers=tag).status_code == 304
    part = ana.get(f"{path}/0/c/0/0/0/0", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, first.content[5:10])
    head = ana.head(f"{path}/0/c/0/0/0/0")
    assert head.headers["content-length"] == str(len(first.content))
    for key in ("0/c/0/9/0/0", "0/c/2/0/0/0", "2/c/0/0/0/0", "0/c/0/0/0", "0/c/0/0/0/0/0",
                "0/c/00/0/0/0", "0/c/-1/0/0/0", "x/c/0/0/0/0", "0/d/0/0/0/0", "0", "0/c",
                "0/c/0/0/0/%D9%A0", "old", "1/.zarray"):  # fmt: skip
        assert ana.get(f"{path}/{key}").status_code == 404, key


def test_n5_and_bare_zarr_of_both_versions(shared_server, ana, link, tmp_path) -> None:
    voxels = random_voxels(60, 50, 40)
    layout = {"compression": {"type": "gzip"}, "blockSize": [16, 16, 16]}
    write_array(tmp_path / "a.n5" / "s0", "n5", voxels, metadata=layout)
    options = OpenOptions(voxel_um=(2, 1, 1), axes="xyz")
    n5 = link("n5", tmp_path / "a.n5", options)
    np.testing.assert_array_equal(fetch(shared_server, ana, f"{n5}/0")[0], voxels.T)
    for version in (2, 3):
        path = tmp_path / f"v{version}.zarr"
        zarr.create_array(path, data=voxels, zarr_format=version, chunks=(20, 20, 20))
        served = link(f"zarr{version}", path, options)
        np.testing.assert_array_equal(fetch(shared_server, ana, f"{served}/0")[0], voxels.T)


def test_precomputed_image_and_labels(shared_server, ana, link, tmp_path) -> None:
    image = write_precomputed(tmp_path / "image")
    path = link("precomputed", tmp_path / "image")
    np.testing.assert_array_equal(fetch(shared_server, ana, f"{path}/0")[0], image)
    labels = write_precomputed(tmp_path / "labels", "uint64")
    path = link("labels", tmp_path / "labels")
    assert "image-label" in ana.get(f"{path}/zarr.json").json()["attributes"]["ome"]
    np.testing.assert_array_equal(fetch(shared_server, ana, f"{path}/0")[0], labels)


def test_planes_and_whole_arrays_are_cut_to_chunks_of_a_viewer(
    shared_server, ana, link, tmp_path
) -> None:
    for name, shape, chunks in (
        ("planes", (3, 1500, 1300), (1, 1500, 1300)),
        ("tiny", (40, 60, 80), (8, 8, 8)),
    ):
        voxels = random_voxels(*shape)
        zarr.create_array(tmp_path / name, data=voxels, chunks=chunks)
        path = link(name, tmp_path / name, OpenOptions(voxel_um=(5, 1, 1), axes="zyx"))
        grid = ana.get(f"{path}/0/zarr.json").json()["chunk_grid"]["configuration"]["chunk_shape"]
        assert 2**15 <= np.prod(grid) <= 2**19, grid
        np.testing.assert_array_equal(fetch(shared_server, ana, f"{path}/0")[0], voxels)


def test_a_time_series(shared_server, ana, link, tmp_path) -> None:
    voxels = random_voxels(3, 2, 8, 30, 40)
    zarr.create_array(tmp_path / "t", data=voxels, dimension_names=list("tczyx"))
    path = link("times", tmp_path / "t", OpenOptions(voxel_um=(1, 1, 1)))
    np.testing.assert_array_equal(fetch(shared_server, ana, f"{path}/0"), voxels)


def test_files_that_already_are_ome_zarr_0_5_pass_as_they_are(
    shared_server, ana, link, put_volume: Put, tmp_path
) -> None:
    other = open_store(tmp_path / "other", create=True)
    voxels = put_volume(other, "theirs/raw")
    folder = tmp_path / "other/theirs/raw.ome.zarr"
    path = link("theirs", folder)
    shard = folder / "0/c/0/0/0/0"
    assert ana.get(f"{path}/0/c/0/0/0/0").content == shard.read_bytes()
    assert ana.get(f"{path}/zarr.json").content == (folder / "zarr.json").read_bytes()
    assert ana.get(f"{path}/../../../dataset.json").status_code in (400, 404)
    np.testing.assert_array_equal(fetch(shared_server, ana, f"{path}/0"), voxels)
    # where the link says what the files do not, they must not speak for themselves
    path = link("resized", folder, OpenOptions(voxel_um=(8, 4, 4)))
    step = ana.get(f"{path}/zarr.json").json()["attributes"]["ome"]["multiscales"][0]["datasets"][0]
    assert step["coordinateTransformations"][0]["scale"] == [1.0, 8.0, 4.0, 4.0]
    np.testing.assert_array_equal(fetch(shared_server, ana, f"{path}/0"), voxels)


def test_a_linked_volume_that_is_gone_is_told(ana, link, tmp_path) -> None:
    write_precomputed(tmp_path / "gone")
    path = link("gone", tmp_path / "gone")
    assert ana.get(f"{path}/zarr.json").status_code == 200
    shutil.rmtree(tmp_path / "gone")
    answer = ana.get(f"{path}/0/c/0/0/0/0")
    assert answer.status_code == 404, answer.text
    assert ana.get("/api/me").status_code == 200


@pytest.fixture
def bucket_server(serve: Any, s3_url: str) -> Any:
    """Return a service whose store is a bucket."""
    return serve(GATEWAY_STORE=s3_url)


@pytest.mark.s3
def test_a_store_in_a_bucket(bucket_server, put_volume: Put, s3_url) -> None:
    store = open_store(s3_url)
    voxels = put_volume(store, "brain/raw")
    root = "/data/brain/raw.ome.zarr"
    shard = store.get("brain/raw.ome.zarr/0/c/0/0/0/0")
    with bucket_server.client("ana", brain=Role.VIEWER) as ana:
        answer = ana.get(f"{root}/0/c/0/0/0/0")
        assert (answer.status_code, answer.content) == (200, shard)
        assert ana.head(f"{root}/0/c/0/0/0/0").headers["content-length"] == str(len(shard))
        for form, cut in (("10-19", shard[10:20]), ("-5", shard[-5:]), ("0-", shard)):
            part = ana.get(f"{root}/0/c/0/0/0/0", headers={"Range": f"bytes={form}"})
            assert (part.status_code, part.content) == (206, cut)
        several = ana.get(f"{root}/0/c/0/0/0/0", headers={"Range": "bytes=0-3,9-12"})
        assert several.status_code == 206
        assert shard[9:13] in several.content
        tag = {"If-None-Match": answer.headers["etag"]}
        assert ana.get(f"{root}/0/c/0/0/0/0", headers=tag).status_code == 304
        beyond = ana.get(f"{root}/0/c/0/0/0/0", headers={"Range": "bytes=99999999-"})
        assert beyond.status_code == 416
        assert ana.get(f"{root}/0/c/0/9/9/9").status_code == 404
        assert ana.get("/data/brain/none.ome.zarr/zarr.json").status_code == 404
        np.testing.assert_array_equal(fetch(bucket_server, ana, f"{root}/0"), voxels)
    with bucket_server.client() as anon:
        assert anon.get(f"{root}/zarr.json").status_code == 401


@pytest.mark.s3
def test_a_large_object_and_one_that_was_replaced(bucket_server, put_volume: Put, s3_url) -> None:
    store = open_store(s3_url)
    put_volume(store, "brain/raw", (20, 20, 20))
    content = np.random.default_rng(1).bytes(5_000_000)
    store.put("brain/raw.ome.zarr/large", content)
    url = "/data/brain/raw.ome.zarr/large"
    with bucket_server.client("ana", brain=Role.VIEWER) as ana:
        assert ana.get(url).content == content
        assert ana.get(url, headers={"Range": "bytes=1-4000000"}).content == content[1:4_000_001]
        store.put("brain/raw.ome.zarr/large", content[::-1])
        answers = [ana.get(url) for _ in range(2)]
        assert answers[-1].content == content[::-1]


@pytest.mark.s3
def test_a_link_to_a_bucket_from_a_store_in_a_folder(
    serve: Any, s3_url: str, put_volume: Put
) -> None:
    server = serve()
    bucket = open_store(s3_url)
    voxels = put_volume(bucket, "theirs/raw")
    root, _, query = s3_url.partition("?")
    register(server.gateway.store, parse_ref("links/raw"), f"{root}/theirs/raw.ome.zarr?{query}")
    with server.client("ana", links=Role.VIEWER) as ana:
        shard = bucket.get("theirs/raw.ome.zarr/0/c/0/0/0/0")
        assert ana.get("/data/links/raw.ome.zarr/0/c/0/0/0/0").content == shard
        np.testing.assert_array_equal(fetch(server, ana, "/data/links/raw.ome.zarr/0"), voxels)
