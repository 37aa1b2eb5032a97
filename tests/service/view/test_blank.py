"""The doctor names each reason for a blank view, and none where all is well."""

import json
import shutil

import numpy as np
import pytest

from gateway.algo.pyramid import reduce_mean
from gateway.errors import NotFoundError
from gateway.service.view.blank import diagnose
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.points import write_points
from gateway.volumes.ref import Ref
from gateway.volumes.volume import open_volume
from gateway.volumes.writer import create_volume

IMAGE = Ref("brain", "image")


def put(gateway, voxels, name="image", **more):
    """Write a `zyx` array as an image of one channel."""
    info = {
        "kind": "image",
        "dtype": str(voxels.dtype),
        "shape": voxels.shape,
        "voxel_um": (2.0, 1.0, 1.0),
        **more,
    }
    writer = create_volume(gateway.store, f"brain/{name}.ome.zarr", VolumeInfo(**info), reduce_mean)
    cells = [
        writer.write(box, voxels[np.newaxis][(slice(None), *box.slices())])
        for box in shard_boxes(writer.info.levels[0])
    ]
    for number in range(writer.derived + 1, len(writer.info.levels)):
        cells += [
            writer.write_level(number, box) for box in shard_boxes(writer.info.levels[number])
        ]
    writer.finish(cells)


def codes(gateway, ref=IMAGE, severity="wrong", status=None):
    return [f.code for f in diagnose(gateway, ref, status) if f.severity == severity]


@pytest.fixture
def picture():
    """Return 160 planes of a smooth, bright picture."""
    z, y, x = np.ogrid[:160, :160, :160]
    return (1000 + 500 * np.sin(z / 20) * np.cos(y / 30) + x).astype(np.uint16)


def test_of_a_good_dataset_nothing_is_wrong(brain) -> None:
    for name in ("image", "labels", "cells"):
        found = diagnose(brain, Ref("brain", name))
        assert found
        assert {finding.severity for finding in found} == {"good"}, found


def test_an_empty_volume_is_told(gateway) -> None:
    put(gateway, np.zeros((40, 40, 40), np.uint16))
    assert codes(gateway) == ["empty"]
    put(gateway, np.full((40, 40, 40), np.nan, np.float32), "nans")
    assert codes(gateway, Ref("brain", "nans")) == ["not-finite"]


def test_content_that_the_coarsest_level_lost_is_still_found(gateway) -> None:
    voxels = np.zeros((300, 300, 300), np.uint8)
    voxels[37, 37, 37] = 200
    put(gateway, voxels)
    assert "empty" not in codes(gateway)


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ((5000, 9000), "window-outside"),
        ((0, 300), "window-outside"),
        ((0, 520), "window-low"),
        ((0, 65000), None),
        ((400, 1_000_000), "window-wide"),
        ((700, 700), "window-empty"),
        ((500, 1800), None),
    ],
)
def test_contrast_outside_the_data_is_told(gateway, picture, window, code) -> None:
    channel = Channel(name="a", window=tuple(map(float, window)))
    put(gateway, picture, channels=(channel,))
    assert codes(gateway) == ([code] if code else [])


@pytest.mark.parametrize(
    ("voxel_um", "severity", "code"),
    [
        ((1.0, 1.0, 1.0), "perhaps", "scale-default"),
        ((1e-4, 1e-4, 1e-4), "wrong", "scale-absurd"),
        ((5e4, 5e4, 5e4), "wrong", "scale-absurd"),
        ((9e3, 9e3, 9e3), "wrong", "extent-absurd"),
        ((500.0, 1.0, 1.0), "perhaps", "scale-uneven"),
    ],
)
def test_scales_of_no_microscope_are_told(gateway, picture, voxel_um, severity, code) -> None:
    put(gateway, picture, voxel_um=voxel_um)
    assert code in codes(gateway, severity=severity)


def test_missing_files_of_voxels_are_told(gateway, picture) -> None:
    put(gateway, picture)
    folder = gateway.store.local_path("brain/image.ome.zarr")
    shards = sorted(path for path in (folder / "0" / "c").rglob("*") if path.is_file())
    shards[0].unlink()
    assert "missing" in codes(gateway)
    [finding] = [f for f in diagnose(gateway, IMAGE) if f.code == "missing"]
    assert "level 0" in finding.where
    assert "verify" in finding.advice


def test_a_part_that_is_truly_black_is_not_missing(gateway, picture) -> None:
    picture[:128] = 0
    put(gateway, picture)
    assert codes(gateway) == []


def test_levels_that_show_another_picture_are_told(gateway, picture) -> None:
    put(gateway, picture)
    put(gateway, picture // 4, "other")
    folder = gateway.store.local_path("brain/image.ome.zarr")
    shutil.rmtree(folder / "1" / "c")
    shutil.copytree(
        gateway.store.local_path("brain/other.ome.zarr") / "1" / "c", folder / "1" / "c"
    )
    assert "levels-differ" in codes(gateway)


def test_levels_that_cover_another_place_are_told(gateway, picture) -> None:
    put(gateway, picture)
    key = "brain/image.ome.zarr/zarr.json"
    document = json.loads(gateway.store.get(key))
    scale = document["attributes"]["ome"]["multiscales"][0]["datasets"][1]
    scale["coordinateTransformations"][0]["scale"][-1] *= 5
    gateway.store.put(key, json.dumps(document).encode())
    assert "levels-extent" in codes(gateway)


def test_damaged_metadata_and_chunks_are_told(gateway, picture) -> None:
    put(gateway, picture)
    level = open_volume(gateway.store, "brain/image.ome.zarr").info.levels[-1]
    folder = gateway.store.local_path(f"brain/image.ome.zarr/{level.path}/c")
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0" * 100)
    assert "damaged" in codes(gateway)
    gateway.store.put("brain/image.ome.zarr/zarr.json", b"{}")
    assert codes(gateway) == ["broken"]


def test_old_and_unfinished_volumes_are_told(gateway) -> None:
    gateway.store.put("brain/old.ome.zarr/.zattrs", b"{}")
    assert codes(gateway, Ref("brain", "old")) == ["old-format"]
    gateway.store.put("brain/half.ome.zarr/0/zarr.json", b"{}")
    assert codes(gateway, Ref("brain", "half")) == ["incomplete"]
    with pytest.raises(NotFoundError, match="brain/none"):
        diagnose(gateway, Ref("brain", "none"))


def test_points_elsewhere_and_none_are_told(gateway, fill_dataset) -> None:
    fill_dataset(gateway.store, "brain")
    at = np.random.default_rng(0).random((100, 3))
    far = {name: at[:, i] + 9000 for i, name in enumerate(("z_um", "y_um", "x_um"))}
    write_points(gateway.store, "brain/far.points.parquet", far)
    assert codes(gateway, Ref("brain", "far")) == ["apart"]
    none = {name: column[:0] for name, column in far.items()}
    write_points(gateway.store, "brain/none.points.parquet", none)
    assert codes(gateway, Ref("brain", "none")) == ["empty"]
    millimetres = {name: at[:, i] * 0.1 for i, name in enumerate(("z_um", "y_um", "x_um"))}
    write_points(gateway.store, "brain/mm.points.parquet", millimetres)
    [finding] = [f for f in diagnose(gateway, Ref("brain", "mm")) if f.severity == "wrong"]
    assert "1000" in finding.advice


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "no answer"), (401, "signed in"), (403, "may not"), (404, "nothing"), (502, "failed")],
)
def test_a_refused_request_comes_first(brain, status, words) -> None:
    first = diagnose(brain, IMAGE, status)[0]
    assert first.code == "request"
    assert words in first.what
    assert codes(brain, status=200) == []


def test_a_kind_that_no_viewer_shows_is_told(gateway) -> None:
    gateway.store.put("brain/move.transform.json", b"{}")
    assert codes(gateway, Ref("brain", "move")) == ["kind"]
