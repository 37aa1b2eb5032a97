"""Boxes as files: where they lie in the world, how they are bounded, and that nothing is left."""

import io
import json
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import httpx
import nibabel
import nrrd
import numpy as np
import pytest
import tifffile
import zarr

import gateway
from gateway.algo.pyramid import reduce_mean
from gateway.service.access.actor import Role
from gateway.volumes.box import Box
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.registry import open_source
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import VolumeInfo
from gateway.volumes.points import open_points
from gateway.volumes.volume import open_volume
from gateway.volumes.writer import create_volume, open_writer

BOX = "10:42,20:84,30:94"
PLACE = Box((10, 20, 30), (42, 84, 94))
ORIGIN = (10 + 10 * 2.0, 20 + 20.0, 30 + 30.0)


@pytest.fixture
def ana(brain_server):
    with brain_server.client("ana", brain=Role.VIEWER) as client:
        yield client


@pytest.fixture
def voxels(brain_server):
    volume = open_volume(brain_server.gateway.store, "brain/image.ome.zarr")
    return volume.read(PLACE, channel=0)


@pytest.fixture
def put_film():
    def put(store, ref, times):
        info = VolumeInfo(
            kind="image", dtype="uint16", shape=(4, 8, 8), voxel_um=(4.0, 2.0, 2.0), times=times
        )
        voxels = np.arange(times * 256, dtype="uint16").reshape(info.array_shape)
        planned = create_volume(store, f"{ref}.ome.zarr", info, reduce_mean).info
        writer = open_writer(store, f"{ref}.ome.zarr", reduce_mean)
        cells = [
            writer.write(box, voxels[(time, slice(None), *box.slices())], time=time)
            for time in range(times)
            for box in shard_boxes(planned.levels[0])
        ]
        for level in range(writer.derived + 1, len(planned.levels)):
            for moment in range(times):
                boxes = shard_boxes(planned.levels[level])
                cells += [writer.write_level(level, box, time=moment) for box in boxes]
        writer.finish(cells, made_by="run-1")
        return voxels

    return put


def cut(client, entry="image", **query):
    answer = client.get(f"/api/cutout/brain/{entry}", params=query)
    assert answer.status_code == 200, answer.text
    return answer


def evaluate(line, token):
    """Run a line of Python as its page shows it."""
    opened = []

    def connect(url, *, token):
        opened.append(gateway.connect(url, token=token))
        return opened[-1]

    names = {"gateway": SimpleNamespace(connect=connect)}
    found = eval(line.replace("…", token), names)  # noqa: S307 - our own line
    opened[0].close()
    return found


def test_npy_holds_the_voxels_and_its_size_is_known(ana, voxels) -> None:
    query = {"format": "npy", "box": BOX, "channel": 0}
    answer = cut(ana, **query)
    assert np.array_equal(np.load(io.BytesIO(answer.content)), voxels)
    head = ana.head("/api/cutout/brain/image", params=query)
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(answer.content))
    assert 'filename="brain-image-level0.npy"' in head.headers["content-disposition"]
    assert answer.headers["content-length"] == head.headers["content-length"]
    both = np.load(io.BytesIO(cut(ana, box=BOX).content))
    assert both.shape == (2, *voxels.shape)


def test_nifti_lies_where_the_box_was(ana, voxels, tmp_path) -> None:
    file = tmp_path / "box.nii.gz"
    file.write_bytes(cut(ana, format="nii.gz", box=BOX, channel=0).content)
    image = nibabel.load(file)
    assert np.array_equal(np.asarray(image.dataobj).T, voxels)
    assert np.allclose(np.diag(image.affine), [0.001, 0.001, 0.002, 1])
    assert np.allclose(image.affine[:3, 3], np.asarray(ORIGIN[::-1]) / 1000)
    assert image.header.get_xyzt_units()[0] == "mm"
    ours = open_source(file, OpenOptions())
    assert np.allclose(ours.info.origin_um, ORIGIN)


def test_nrrd_and_tiff_know_their_voxel_size(ana, voxels, tmp_path) -> None:
    file = tmp_path / "box.nrrd"
    file.write_bytes(cut(ana, format="nrrd", box=BOX, channel=0).content)
    content, header = nrrd.read(str(file))
    assert np.array_equal(content.T, voxels)
    assert np.allclose(header["space origin"], ORIGIN[::-1])
    assert np.allclose(np.diag(header["space directions"]), [1, 1, 2])
    tif = tmp_path / "box.tif"
    tif.write_bytes(cut(ana, format="tif", box=BOX, channel=0).content)
    assert np.array_equal(tifffile.imread(tif), voxels)
    ours = open_source(tif, OpenOptions())
    assert np.allclose(ours.info.voxel_um, (2, 1, 1))
    assert np.allclose(ours.info.origin_um, ORIGIN)


def test_a_zip_is_an_ome_zarr_that_other_readers_open(ana, brain_server, tmp_path) -> None:
    file = tmp_path / "box.zip"
    file.write_bytes(cut(ana, format="zip", box=BOX).content)
    with zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        packed.extractall(tmp_path)
    folder = tmp_path / "brain-image-level0.ome.zarr"
    array = zarr.open_array(str(folder / "0"), mode="r")
    expected = open_volume(brain_server.gateway.store, "brain/image.ome.zarr").read(PLACE)
    assert np.array_equal(array[:], expected)
    models = pytest.importorskip("ome_zarr_models")
    models.open_ome_zarr(zarr.open_group(str(folder), mode="r"))
    ours = open_source(folder, OpenOptions())
    assert np.allclose(ours.info.origin_um, ORIGIN)
    assert [channel.name for channel in ours.info.channels] == ["nuclei", "vessels"]


def test_coarse_levels_and_places_in_micrometres(ana, brain_server) -> None:
    volume = open_volume(brain_server.gateway.store, "brain/image.ome.zarr")
    level = volume.info.levels[1]
    whole = np.load(io.BytesIO(cut(ana, level=1, channel=0).content))
    assert whole.shape == level.shape
    box_um = "20:60,40.5:90,60:1e2"
    answer = cut(ana, box_um=box_um, channel=1)
    expected = volume.read_um((20, 40.5, 60), (60, 90, 100), channel=1)
    assert np.array_equal(np.load(io.BytesIO(answer.content)), expected)
    assert answer.headers["x-gateway-box"] == str(volume.box_um((20, 40.5, 60), (60, 90, 100)))


def test_points_of_a_box_as_csv_and_json(ana, brain_server) -> None:
    table = open_points(brain_server.gateway.store, "brain/cells.points.parquet")
    box = ((100.0, 80.0, 80.0), (110.0, 120.0, 120.0))
    expected = table.read(box)
    text = cut(ana, "cells", format="csv", box_um="100:110,80:120,80:120").text
    lines = text.splitlines()
    assert lines[0].replace('"', "").split(",") == list(table.columns)
    assert len(lines) - 1 == len(expected["z_um"]) > 10
    rows = json.loads(cut(ana, "cells", format="json", box_um="100:110,80:120,80:120").content)
    assert [row["label"] for row in rows] == expected["label"].tolist()
    assert [row["class"] for row in rows] == expected["class"].tolist()
    everything = json.loads(cut(ana, "cells", format="json").content)
    assert len(everything) == 5000
    none = json.loads(cut(ana, "cells", format="json", box_um="0:1,0:1,0:1").content)
    assert none == []
    header = cut(ana, "cells", format="csv", box_um="0:1,0:1,0:1").text
    assert len(header.splitlines()) == 1


@pytest.mark.parametrize(
    ("entry", "query", "status", "words"),
    [
        ("image", {"box": "0:10"}, 422, "z0:z1,y0:y1,x0:x1"),
        ("image", {"box": "0:10,0:10,0:1000"}, 400, "outside level 0"),
        ("image", {"box": "5:5,0:10,0:10"}, 400, "empty"),
        ("image", {"box": "9:5,0:10,0:10"}, 400, "empty"),
        ("image", {"box_um": "0:1,0:1"}, 422, "micrometres"),
        ("image", {"box_um": "0:1e999,0:1,0:1"}, 422, "micrometres"),
        ("image", {"box_um": "9e5:9e6,0:1,0:1"}, 400, "does not meet"),
        ("image", {"box": "0:1,0:1,0:1", "box_um": "0:1,0:1,0:1"}, 422, "not both"),
        ("image", {"level": 9}, 400, "no level 9"),
        ("image", {"level": -1}, 422, "level"),
        ("image", {"channel": 2}, 400, "no channel 2"),
        ("image", {"time": 1}, 400, "no time 1"),
        ("image", {"format": "csv"}, 422, "npy, tif"),
        ("image", {"format": "exe"}, 422, "nii.gz"),
        ("cells", {"format": "npy"}, 422, "csv, json"),
        ("cells", {"format": "csv", "box": BOX}, 422, "box_um"),
        ("none", {}, 404, "brain/none"),
    ],
)
def test_what_cannot_be_cut_is_told(ana, entry, query, status, words) -> None:
    answer = ana.get(f"/api/cutout/brain/{entry}", params=query)
    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_too_large_a_box_names_its_size_and_the_limit(serve, fill_dataset) -> None:
    server = serve(GATEWAY_CUTOUT="2MB")
    fill_dataset(server.gateway.store, "brain")
    with server.client("ana", brain=Role.VIEWER) as client:
        answer = client.get("/api/cutout/brain/image")
        assert answer.status_code == 400
        assert "7,864,320" in answer.text
        assert "2,000,000" in answer.text
        assert "level 1" in answer.text
        assert client.get("/api/cutout/brain/image?level=1&channel=0").status_code == 200


def test_nobody_without_a_role_cuts(brain_server) -> None:
    assert httpx.get(f"{brain_server.url}/api/cutout/brain/image").status_code == 401
    with brain_server.client("bob") as client:
        assert client.get("/api/cutout/brain/image").status_code == 403
        assert client.head("/api/cutout/brain/image").status_code == 403


def test_the_snippet_reads_the_same_box(ana) -> None:
    answer = ana.get("/api/cutout-snippet/brain/image", params={"box": BOX, "channel": 0}).json()
    assert answer["python"].endswith('.open("brain/image")[0, 0, 10:42, 20:84, 30:94]')
    assert answer["python"].startswith("gateway.connect(")
    points = ana.get(
        "/api/cutout-snippet/brain/cells", params={"format": "csv", "box_um": "1:2,3:4,5:6"}
    ).json()
    assert points["python"].endswith(".read(((1.0, 3.0, 5.0), (2.0, 4.0, 6.0)))")


def test_the_snippet_runs_and_gives_what_the_download_holds(ana) -> None:
    token = ana.headers["Authorization"].removeprefix("Bearer ")
    for entry, query in (
        ("image", {"box": BOX, "channel": 0}),
        ("image", {"box_um": "20:60,40.5:90,60:100", "channel": 1}),
        ("cells", {"format": "csv", "box_um": "100:110,80:120,80:120"}),
    ):
        line = ana.get(f"/api/cutout-snippet/brain/{entry}", params=query).json()["python"]
        found = evaluate(line, token)
        if entry == "cells":
            rows = cut(ana, "cells", **query).text.splitlines()
            assert len(found["z_um"]) == len(rows) - 1
        else:
            content = np.load(io.BytesIO(cut(ana, entry, **query).content))
            assert np.array_equal(found, content)


def test_a_time_point_is_chosen_and_the_snippet_names_it(brain_server, put_film) -> None:
    voxels = put_film(brain_server.gateway.store, "film/cells", times=3)
    with brain_server.client("cleo", film=Role.VIEWER) as client:
        token = client.headers["Authorization"].removeprefix("Bearer ")
        for query in ({"box": "1:3,2:6,0:8"}, {"box_um": "4:12,4:12,0:16"}):
            query |= {"time": 2, "channel": 0}
            answer = client.get("/api/cutout/film/cells", params=query)
            assert "film-cells-level0-time2.npy" in answer.headers["content-disposition"]
            content = np.load(io.BytesIO(answer.content))
            assert np.array_equal(content, voxels[2, 0, 1:3, 2:6, 0:8])
            line = client.get("/api/cutout-snippet/film/cells", params=query).json()["python"]
            assert np.array_equal(evaluate(line, token), content)
        refused = client.get("/api/cutout/film/cells", params={"time": 3})
        assert refused.status_code == 400
        assert "no time 3; there are 0 to 2" in refused.text


def test_who_goes_away_stops_the_work_and_leaves_no_file(serve, fill_dataset, tmp_path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    server = serve(TMPDIR=str(scratch))
    fill_dataset(server.gateway.store, "brain")
    with server.client("ana", brain=Role.VIEWER) as client:
        for form in ("nii.gz", "tif", "zip", "nrrd", "npy") * 3:
            with client.stream("GET", f"/api/cutout/brain/image?format={form}") as answer:
                next(answer.iter_raw(1000))
        # more were broken off than may be under way at once: each gave its place back
        assert cut(client, format="npy", box=BOX).status_code == 200
    deadline = time.monotonic() + 30
    while unnamed_files(server.process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert unnamed_files(server.process.pid) == []
    assert list(scratch.iterdir()) == []


def test_no_more_than_some_are_cut_at_once(ana) -> None:
    answers = []

    def hold() -> None:
        with ana.stream("GET", "/api/cutout/brain/image?format=npy") as answer:
            answers.append(answer.status_code)
            done.wait(30)

    done = threading.Event()
    threads = [threading.Thread(target=hold) for _ in range(12)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 30
        while len(answers) < len(threads) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert set(answers) <= {200, 429}
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert cut(ana, format="npy", box=BOX)


def unnamed_files(pid: int) -> list[str]:
    """Name the open files of the service that have no name any more."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue  # closed meanwhile
        if "scratch" in target and "(deleted)" in target:
            found.append(target)
    return found
