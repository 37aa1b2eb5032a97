"""Volumes are read by box, by index and in micrometres, with errors that name the place."""

import pickle
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BoxError, CorruptionError, FormatError, NotFoundError
from gateway.volumes.box import Box
from gateway.volumes.local_store import LocalStore
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.region import parse_region
from gateway.volumes.source import Source
from gateway.volumes.store import open_store
from gateway.volumes.tensors import IoLimits
from gateway.volumes.views import MissingExtraError
from gateway.volumes.volume import open_volume

KEY = "m1/raw.ome.zarr"
INFO = VolumeInfo(
    kind="image",
    dtype="uint16",
    shape=(100, 140, 130),
    voxel_um=(5.0, 2.0, 2.0),
    origin_um=(100.0, 0.0, -20.0),
    channels=(Channel(name="dapi"), Channel(name="gfp")),
)


@pytest.fixture(scope="module")
def voxels():
    return np.random.default_rng(0).integers(0, 2**16, INFO.array_shape, np.uint16)


@pytest.fixture
def volume(store, write_volume, voxels):
    return write_volume(store, KEY, INFO, voxels)


@pytest.fixture
def series(store, write_volume):
    info = VolumeInfo(
        kind="image",
        dtype="uint8",
        shape=(5, 70, 80),
        voxel_um=(1.0, 1.0, 1.0),
        channels=INFO.channels,
        times=3,
        time_step_s=2.5,
    )
    content = np.random.default_rng(1).integers(0, 255, info.array_shape, np.uint8)
    return write_volume(store, "m1/film.ome.zarr", info, content), content


def test_a_volume_is_a_source(volume):
    assert isinstance(volume, Source)
    assert volume.read_unit == (32, 64, 64)


def test_a_box_is_read_from_one_channel_or_all(volume, voxels):
    box = Box((10, 60, 3), (80, 130, 90))
    one = volume.read(box, channel=1)
    assert np.array_equal(one, voxels[(1, *box.slices())])
    assert one.flags.c_contiguous
    assert np.array_equal(volume.read(box), voxels[(slice(None), *box.slices())])


def test_a_time_point_is_read(series):
    film, content = series
    box = Box((1, 2, 3), (4, 60, 70))
    assert np.array_equal(film.read(box, time=2), content[(2, slice(None), *box.slices())])
    assert np.array_equal(film[0, 1, 0, ..., 5], content[1, 0, ..., 5])


@pytest.mark.parametrize(
    "index",
    [
        np.s_[...],
        np.s_[1],
        np.s_[:, 5:9, ..., -3],
        np.s_[-1, ::-1, 10:2:-3, None, ::7],
        np.s_[None, 0, 3, 4, 5],
        np.s_[..., 200:300],
        np.s_[:, np.int64(2), -20:-10, 50:],
    ],
)
def test_an_index_means_what_it_means_in_numpy(volume, voxels, index):
    cut = volume[0, *index] if isinstance(index, tuple) else volume[0, index]
    assert cut.shape == voxels[index].shape
    assert np.array_equal(cut, voxels[index])


entries = st.one_of(
    st.integers(-6, 5),
    st.slices(6),
    st.builds(slice, *[st.one_of(st.none(), st.integers(-9, 9))] * 2, st.sampled_from([1, 2, -2])),
    st.none(),
)


@given(index=st.lists(entries, max_size=5), dots=st.integers(-1, 5))
@settings(max_examples=300, deadline=None)
def test_any_numpy_index_is_parsed_as_numpy_does(index, dots):
    array = np.arange(6**3).reshape(6, 6, 6)
    if dots >= 0:
        index.insert(dots, Ellipsis)
    try:
        expected = array[tuple(index)]
    except IndexError:
        with pytest.raises(BoxError):
            parse_region(tuple(index), array.shape)
        return
    region = parse_region(tuple(index), array.shape)
    assert np.array_equal(array[region.slices][region.after], expected)


def test_a_level_may_be_counted_from_the_coarsest(volume):
    assert np.array_equal(volume[-1], volume[len(volume.info.levels) - 1])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.s_[0, 0, 100], "index 100 is out of bounds for axis 1 of 100 voxels"),
        (np.s_[9], "has no level 9; there are 0 to"),
        (np.s_[0, 1, 2, 3, 4, 5], r"has 5 indices and 0 '\.\.\.'; there are 4 axes"),
        (np.s_[0, "dapi"], "'dapi' cannot index a volume"),
        (np.s_[:, 0], "the first index of a volume is its level"),
    ],
)
def test_an_index_outside_is_refused(volume, index, message):
    with pytest.raises(BoxError, match=message):
        volume[index]


def test_a_box_outside_is_refused(volume):
    outside = Box((0, 0, 0), (101, 5, 5))
    with pytest.raises(BoxError, match=r"box 0:101,0:5,0:5 is empty or outside m1/raw.* level 0"):
        volume.read(outside)
    inside = Box((0, 0, 0), (1, 1, 1))
    with pytest.raises(BoxError, match="has no channel 2; there are 0 to 1"):
        volume.read(inside, channel=2)
    with pytest.raises(BoxError, match="has no time 1; there are 0 to 0"):
        volume.read(inside, time=1)


def test_micrometres_choose_voxels_by_their_centres(volume, voxels):
    cut = volume.read_um((105.0, 4.0, -20.0), (120.0, 9.9, -16.0), channel=0)
    assert np.array_equal(cut, voxels[0, 1:4, 2:5, 0:2])
    assert volume.box_um((0.0, 0.0, -20.0), (9e9, 9e9, 9e9)) == Box.of_shape(INFO.shape)
    thin = volume.box_um((106.0, 4.0, -20.0), (107.0, 4.0, -20.0))
    assert thin.shape == (1, 1, 1)
    assert thin.start == (1, 2, 0)


def test_neighbouring_boxes_in_micrometres_share_no_voxel(volume):
    edges = [99.0, 131.0, 207.5, 300.0, 700.0]
    stops = [0]
    for low, high in pairwise(edges):
        box = volume.box_um((low, 0.0, 0.0), (high, 10.0, 10.0), level=1)
        assert box.start[0] == stops[-1]
        stops.append(box.stop[0])
    assert stops[-1] == volume.info.levels[1].shape[0]


def test_a_wanted_voxel_size_chooses_the_level(volume):
    sizes = [level.voxel_um for level in volume.info.levels]
    assert sizes[:2] == [(5.0, 2.0, 2.0), (5.0, 4.0, 4.0)]
    assert [volume.level_for(um) for um in (0.5, 4.9, 5.0, 1e9)] == [0, 0, 1, len(sizes) - 1]
    assert volume.level_for((5.0, 4.0, 3.9)) == 0
    coarse = volume.read_um((100.0, 1.0, -19.0), (101.0, 9.0, -10.0), voxel_um=5.0)
    assert np.array_equal(coarse, volume[1, :, 0:1, 0:2, 0:3])


def test_micrometres_beside_the_volume_are_refused(volume):
    with pytest.raises(BoxError, match=r"0 to 50 was asked of 97\.5 to 597\.5 µm"):
        volume.read_um((0.0, 0.0, 0.0), (50.0, 10.0, 10.0))


def test_dask_and_xarray_views_are_lazy_and_equal(volume, voxels, series):
    lazy = volume.to_dask()
    assert lazy.shape == voxels.shape
    assert np.array_equal(lazy[1, 20:40, :, 7].compute(scheduler="sync"), voxels[1, 20:40, :, 7])
    table = volume.to_xarray(1)
    assert table.dims == ("c", "z", "y", "x")
    assert table.coords["y"].values[:2].tolist() == [1.0, 5.0]
    near = table.sel(c="gfp").sel(y=5.2, x=-19.0, method="nearest")
    assert np.array_equal(near.values, volume[1, 1, :, 1, 0])
    film, content = series
    assert film.to_xarray().sel(t=2.5)[0].values.tolist() == content[1, 0].tolist()


def test_without_dask_the_extra_is_named(volume, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(MissingExtraError, match=r"pip install brain-gateway\[dask\]"):
        volume.to_dask()


def test_a_volume_travels_to_another_process(volume, voxels):
    again = pickle.loads(pickle.dumps(volume))  # noqa: S301 - our own bytes
    assert np.array_equal(again[0, 1, 5], voxels[1, 5])


def test_reads_keep_to_their_limits(store, volume, voxels):
    limits = IoLimits(threads=1, requests=2, cache_bytes=10_000_000)
    assert np.array_equal(open_volume(store, volume.key, limits=limits)[0, 0], voxels[0])


def test_a_volume_describes_itself(volume):
    text = repr(volume)
    assert "image, czyx 2 x 100 x 140 x 130, uint16" in text
    assert "level 1: 100 x 70 x 65 of 5 x 4 x 4 µm" in text
    assert volume.info.digest in text


def test_plain_zarr_reads_the_same_voxels(store, volume, voxels):
    group = zarr.open_group(store.local_path(volume.key), mode="r")
    assert np.array_equal(group["0"][:], voxels)
    assert sorted(dict(group.members())) == [level.path for level in volume.info.levels]
    for number in range(1, len(volume.info.levels)):
        assert np.array_equal(group[str(number)][:], volume[number])


def test_a_volume_is_read_over_http(web_folder, write_volume, voxels):
    folder, server = web_folder
    written = write_volume(LocalStore(folder), KEY, INFO, voxels)
    volume = open_volume(open_store(server.url), KEY)
    assert volume.info == written.info
    assert np.array_equal(volume[0, 1, 60:70, 60:70, 60:70], voxels[1, 60:70, 60:70, 60:70])


@pytest.mark.data
def test_a_real_brain_keeps_its_voxels_and_its_brightness(store, write_volume, data_dir):
    folder = data_dir / "nuclei_cellfinder_lightsheet"
    files = [folder / "ch0_signal.tif", folder / "ch1_background.tif"]
    # of whole windows at all levels, so that no face weighs more than the rest
    brain = np.stack([tifffile.imread(file)[:28, :508, :336] for file in files])
    info = replace(INFO, shape=brain.shape[1:], origin_um=(0.0, 0.0, 0.0))
    volume = write_volume(store, "m1/brain.ome.zarr", info, brain)
    assert np.array_equal(volume[0], brain)
    for level in range(1, len(volume.info.levels)):
        drift = volume[level].mean(dtype=np.float64) - brain.mean(dtype=np.float64)
        assert abs(drift) < 0.1, level


def test_a_flipped_byte_is_an_error_that_names_level_and_chunk(store, volume):
    shard = next(p for p in store.local_path(f"{KEY}/0/c/1").rglob("*") if p.is_file())
    content = bytearray(shard.read_bytes())
    content[200] ^= 1
    shard.write_bytes(content)
    expected = r"chunk \d+:.* is broken: m1/raw.ome.zarr, level 0, box 0:100,.*Digest mismatch"
    with pytest.raises(CorruptionError, match=expected):
        volume[0]


def test_a_truncated_shard_is_an_error(store, volume):
    shard = next(p for p in store.local_path(f"{KEY}/1/c").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(CorruptionError, match=r"level 1, box .* cannot be decoded"):
        volume[1]


def test_what_is_no_volume_is_named(store):
    with pytest.raises(NotFoundError, match=r"there is no volume at m1/none\.ome\.zarr"):
        open_volume(store, "m1/none.ome.zarr")
    store.put("m1/a.ome.zarr/zarr.json", b"{oops")
    with pytest.raises(FormatError, match=r"m1/a\.ome\.zarr/zarr\.json in .* is not JSON"):
        open_volume(store, "m1/a.ome.zarr")
    store.put("m1/a.ome.zarr/zarr.json", b"{}")
    with pytest.raises(FormatError, match=r"is not an OME-Zarr 0\.5 image"):
        open_volume(store, "m1/a.ome.zarr")


@pytest.mark.usefixtures("volume")
def test_a_lost_level_is_named(store):
    store.delete(f"{KEY}/1")
    with pytest.raises(NotFoundError, match=r"there is no level 1 of the volume at m1/raw"):
        open_volume(store, KEY)
