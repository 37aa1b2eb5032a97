"""Pictures: what they show, that they are kept, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import CallError, NotFoundError
from gateway.service.browse import pictures
from gateway.service.browse.thumbnails import (
    kept_thumbnail,
    make_thumbnail,
    prepare_thumbnail,
    thumbnail_key,
)
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.points import write_points
from gateway.volumes.ref import parse_ref
from gateway.volumes.volume import open_volume
from gateway.volumes.writer import create_volume, open_writer

RAW = parse_ref("m1/raw")


def put(gateway, voxels, *, name="raw", voxel_um=(4.0, 2.0, 2.0), channels=None, made_by="run-1"):
    kind = "labels" if voxels.dtype == np.uint32 else "image"
    reduce = reduce_mode if kind == "labels" else reduce_mean
    channels = channels or tuple(Channel(name=str(i)) for i in range(len(voxels)))
    info = VolumeInfo(
        kind=kind,
        dtype=str(voxels.dtype),
        shape=voxels.shape[1:],
        voxel_um=voxel_um,
        channels=channels,
    )
    key = f"m1/{name}.ome.zarr"
    planned = create_volume(gateway.store, key, info, reduce).info
    writer = open_writer(gateway.store, key, reduce)
    cells = [
        writer.write(box, voxels[(slice(None), *box.slices())])
        for box in shard_boxes(planned.levels[0])
    ]
    for level in range(writer.derived + 1, len(planned.levels)):
        cells += [writer.write_level(level, box) for box in shard_boxes(planned.levels[level])]
    writer.finish(cells, made_by=made_by)


def drawn(gateway, ref=RAW):
    png = make_thumbnail(gateway, ref, thumbnail_key(gateway, ref))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_an_image_is_shown_from_above_with_a_contrast_that_shows_it(gateway):
    voxels = np.random.default_rng(1).integers(100, 120, (1, 20, 60, 80)).astype(np.uint16)
    voxels[0, 7, 10:20, 50:70] = 3000  # in one plane only
    put(gateway, voxels)
    pixels = drawn(gateway)
    assert pixels.shape == (360, 480, 3)
    bright = pixels[..., 0] > 200
    assert bright[70:110, 310:410].mean() > 0.9
    assert bright[200:, :200].mean() < 0.1


def test_pixels_are_as_long_down_as_across(gateway):
    put(gateway, np.ones((1, 4, 40, 80), np.uint16), voxel_um=(1.0, 4.0, 1.0))
    assert drawn(gateway).shape == (360, 180, 3)


def test_channels_have_their_colours_or_some_that_differ(gateway):
    voxels = np.zeros((2, 4, 60, 80), np.uint8)
    voxels[0, :, :, :40] = 200
    voxels[1, :, :, 40:] = 200
    put(gateway, voxels)
    plain = drawn(gateway)
    left, right = plain[180, 100], plain[180, 400]
    assert np.abs(left - right).max() > 100
    red = (Channel(name="a", colour="FF0000"), Channel(name="b", colour="0000FF"))
    put(gateway, voxels, name="named", channels=red)
    named = drawn(gateway, parse_ref("m1/named"))
    assert list(np.argmax(named[180, [100, 400]], axis=1)) == [0, 2]


def test_each_label_has_a_bright_colour_of_its_own_and_none_is_black(gateway):
    voxels = np.zeros((1, 3, 60, 80), np.uint32)
    for label in range(1, 7):
        voxels[0, 1, 10:50, label * 10 : label * 10 + 10] = label
    put(gateway, voxels)
    pixels = drawn(gateway)
    colours = {tuple(pixels[180, label * 60 + 30]) for label in range(1, 7)}
    assert len(colours) == 6
    assert all(max(colour) > 150 for colour in colours)
    assert pixels[180, 20].max() == 0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -5.0])
def test_a_volume_in_which_nothing_differs_is_drawn_all_the_same(gateway, value):
    put(gateway, np.full((1, 4, 40, 50), value, np.float32))
    assert drawn(gateway).shape == (360, 450, 3)


def test_what_is_not_a_number_hides_nothing(gateway):
    voxels = np.full((1, 4, 60, 80), 10, np.float32)
    voxels[0, 1, 20:40, 30:50] = 500
    voxels[0, 2] = np.nan
    put(gateway, voxels)
    pixels = drawn(gateway)
    assert pixels[180, 240].max() > 200
    assert pixels[30, 30].max() < 100


def test_points_are_shown_where_they_lie(gateway):
    random = np.random.default_rng(2)
    y = np.concatenate([random.uniform(0, 20, 2000), [100.0]])
    x = np.concatenate([random.uniform(0, 20, 2000), [100.0]])
    columns = {"z_um": np.zeros(2001), "y_um": y, "x_um": x}
    write_points(gateway.store, "m1/cells.points.parquet", columns)
    pixels = drawn(gateway, parse_ref("m1/cells"))
    assert (pixels[:70, :70].max(axis=-1) > 60).mean() > 0.3
    assert pixels[100:300, 100:300].max() == 0
    none = {name: np.empty(0) for name in columns}
    write_points(gateway.store, "m1/none.points.parquet", none)
    assert drawn(gateway, parse_ref("m1/none")).max() == 0


def test_a_picture_is_kept_until_the_content_is_another(gateway):
    put(gateway, np.ones((1, 4, 40, 50), np.uint16))
    key = thumbnail_key(gateway, RAW)
    assert kept_thumbnail(gateway, key) is None
    prepare_thumbnail(gateway, RAW)
    first = kept_thumbnail(gateway, key)
    assert first is not None
    gateway.store.delete("m1/raw.ome.zarr")
    put(gateway, np.arange(8000, dtype=np.uint16).reshape(1, 4, 40, 50), made_by="run-2")
    again = thumbnail_key(gateway, RAW)
    assert again != key
    prepare_thumbnail(gateway, RAW)
    assert kept_thumbnail(gateway, again) != first


def test_a_home_that_cannot_keep_pictures_still_shows_them(gateway):
    put(gateway, np.ones((1, 4, 40, 50), np.uint16))
    (gateway.home / "thumbnails").write_text("in the way")
    assert drawn(gateway).shape == (360, 450, 3)
    prepare_thumbnail(gateway, RAW)


def test_what_has_no_picture_says_so(gateway, monkeypatch):
    put(gateway, np.ones((1, 4, 40, 50), np.uint16))
    with pytest.raises(NotFoundError, match="there is no m1/other"):
        thumbnail_key(gateway, parse_ref("m1/other"))
    monkeypatch.setattr(pictures, "_MOST_VOXELS", 100)
    with pytest.raises(CallError, match="40 x 50 voxels; make levels of it"):
        drawn(gateway)
    prepare_thumbnail(gateway, RAW)  # a run does not fail for it


def test_a_deep_volume_is_read_in_some_planes_only(gateway, monkeypatch):
    voxels = np.ones((1, 50, 40, 50), np.uint16)
    put(gateway, voxels)
    monkeypatch.setattr(pictures, "_MOST_VOXELS", 10 * 40 * 50)
    assert drawn(gateway).shape == (360, 450, 3)


def test_no_chunk_is_decoded_twice_for_a_picture(gateway, monkeypatch):
    random = np.random.default_rng(5)
    put(gateway, random.integers(0, 900, (1, 200, 400, 520)).astype(np.uint16))
    volume = open_volume(gateway.store, "m1/raw.ome.zarr")
    for most in (200 * 400 * 520, 64 * 400 * 520, 40 * 400 * 520, 10 * 400 * 520):
        monkeypatch.setattr(pictures, "_MOST_VOXELS", most)
        number = pictures._choose_level(volume)
        unit = volume.info.levels[number].chunk[0]
        thick, step = pictures._slabs(volume.info.levels[number])
        assert step >= thick
        assert step % unit == 0
        assert thick % unit == 0 or thick == 1
    assert number == 1  # level 0 has as many pixels as the picture, and too many planes
    assert drawn(gateway).any()


def test_a_run_leaves_the_picture_of_what_it_made(bench):
    gateway = bench.gateway
    put(gateway, np.ones((1, 8, 40, 50), np.uint16))
    bench.run("smooth_gaussian", {"image": "m1/raw"}, {"image": "m1/soft"}, {"sigma_um": 2.0})
    key = thumbnail_key(gateway, parse_ref("m1/soft"))
    assert kept_thumbnail(gateway, key) is not None
