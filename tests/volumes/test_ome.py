"""Metadata is OME-Zarr 0.5 to the letter, and comes back as it went in."""

import json
from dataclasses import replace

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image, ImageLabel

from gateway.errors import FormatError
from gateway.volumes.layout import choose_layout
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.ome import array_document, group_document, parse_documents

IMAGE = VolumeInfo(
    kind="image",
    dtype="uint16",
    shape=(30, 510, 480),
    voxel_um=(5.0, 2.0, 2.0),
    origin_um=(0.0, 100.0, -7.5),
    channels=(Channel(name="signal", colour="00FF00", window=(100.0, 4000.0)), Channel(name="b")),
    attributes={"source": {"sha256": "ab"}, "planes": [1, 2]},
)
LABELS = VolumeInfo(kind="labels", dtype="uint32", shape=(10, 20, 30), voxel_um=(1.0, 1.0, 1.0))
FILM = replace(IMAGE, times=4, time_step_s=0.5)


def documents(info):
    planned = replace(info, levels=choose_layout(info))
    group = json.loads(json.dumps(group_document(planned)))
    arrays = {level.path: array_document(planned, level) for level in planned.levels}
    return planned, group, arrays


@pytest.mark.parametrize(
    "info",
    [
        IMAGE,
        LABELS,
        FILM,
        replace(FILM, time_step_s=None),
        replace(IMAGE, dtype="float32", channels=(Channel(name="0"),)),
        replace(IMAGE, digest="blake3:0", made_by="run-3"),
    ],
    ids=["image", "labels", "film", "film of unknown step", "float", "complete"],
)
def test_metadata_comes_back_as_it_went_in(info):
    planned, group, arrays = documents(info)
    assert parse_documents(group, arrays, "m1/raw") == planned


def test_an_image_passes_the_models_of_the_standard(store, write_volume):
    for info in (IMAGE, FILM):
        key = f"m1/{info.axes}.ome.zarr"
        write_volume(store, key, info, np.ones(info.array_shape, info.dtype))
        image = Image.from_zarr(zarr.open_group(store.local_path(key), mode="r"))
        multiscale = image.ome_attributes.multiscales[0]
        assert [axis.name for axis in multiscale.axes] == list(info.axes)
        assert [axis.unit for axis in multiscale.axes][-3:] == ["micrometer"] * 3
        scale, translation = multiscale.datasets[1].coordinateTransformations
        assert scale.scale[-3:] == [5.0, 4.0, 4.0]
        assert translation.translation[-3:] == [0.0, 101.0, -6.5]


def test_labels_pass_the_models_of_the_standard(store, write_volume):
    write_volume(store, "m1/cells.ome.zarr", LABELS, np.ones(LABELS.array_shape, np.uint32))
    group = zarr.open_group(store.local_path("m1/cells.ome.zarr"), mode="r")
    assert ImageLabel.from_zarr(group).ome_attributes.image_label is not None
    assert "omero" not in group.attrs["ome"]


def test_channels_say_how_to_show_them():
    _, group, _ = documents(IMAGE)
    first, second = group["attributes"]["ome"]["omero"]["channels"]
    assert first["label"] == "signal"
    assert first["color"] == "00FF00"
    assert first["window"] == {"start": 100.0, "end": 4000.0, "min": 0.0, "max": 65535.0}
    assert second["window"] == {"start": 0.0, "end": 65535.0, "min": 0.0, "max": 65535.0}


def test_a_chunk_holds_one_channel_and_a_checksum():
    _, _, arrays = documents(FILM)
    sharding = arrays["0"]["codecs"][0]["configuration"]
    assert arrays["0"]["chunk_grid"]["configuration"]["chunk_shape"][:2] == [1, 1]
    assert sharding["chunk_shape"][:2] == [1, 1]
    assert sharding["codecs"][-1]["name"] == "crc32c"
    assert sharding["index_codecs"][-1]["name"] == "crc32c"


def broken(change):
    _, group, arrays = documents(IMAGE)
    change(group["attributes"]["ome"]["multiscales"][0], arrays)
    return group, arrays


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, _: m["axes"].pop(), "the axes of m1/raw are 'czy'; expected 'czyx' or 'tczyx'"),
        (lambda m, _: m["datasets"].clear(), r"names the levels \(\)"),
        (lambda m, _: m["datasets"][0].update(path="../x"), "expected plain names such as 0, 1, 2"),
        (lambda m, _: m.pop("datasets"), "has no ome.multiscales"),
        (lambda m, _: m["datasets"][1].pop("coordinateTransformations"), "is incomplete"),
        (
            lambda m, _: m["datasets"][1]["coordinateTransformations"][0].update(
                scale=[1, 0, 1, 1]
            ),
            r"the scale of level 1 is \(0\.0, 1\.0, 1\.0\)",
        ),
        (
            lambda m, _: m["datasets"][1]["coordinateTransformations"][0].update(scale=["a"] * 4),
            "has a wrong value: could not convert string to float",
        ),
        (lambda _, a: a["0"].update(data_type="complex64"), "has dtype complex64; expected one of"),
        (lambda _, a: a["1"].update(data_type="uint8"), "level 1 of m1/raw has another dtype"),
        (lambda _, a: a["1"].update(shape=[30, 255, 240]), "level 1 of m1/raw has shape"),
        (lambda _, a: a["1"].pop("codecs"), "is incomplete: KeyError"),
        (
            lambda _, a: [array.update(shape=[3, *array["shape"][1:]]) for array in a.values()],
            "omero names 2 channels, the array has 3",
        ),
    ],
)
def test_broken_metadata_is_named(change, message):
    group, arrays = broken(change)
    with pytest.raises(FormatError, match=message):
        parse_documents(group, arrays, "m1/raw")
