import numpy as np
import pytest

from gateway.algo.pyramid import reduce_mean
from gateway.service import projections
from gateway.service.projections import project
from gateway.volumes.box import Box
from gateway.volumes.model import VolumeInfo
from gateway.volumes.store import open_store
from gateway.volumes.volume import open_volume
from gateway.volumes.writer import create_volume

SHAPE = (20, 140, 180)
VOXELS = np.random.default_rng(1).integers(0, 60_000, SHAPE).astype(np.uint16)


@pytest.fixture
def volume(tmp_path):
    store = open_store(str(tmp_path))
    info = VolumeInfo(
        kind="image",
        dtype="uint16",
        shape=SHAPE,
        voxel_um=(4.0, 2.0, 2.0),
        origin_um=(10.0, 20.0, 30.0),
    )
    writer = create_volume(store, "m/a.ome.zarr", info, reduce_mean)
    upper = range(writer.derived + 1, len(writer.info.levels))
    cells = [
        writer.write(Box.of_shape(SHAPE), VOXELS[np.newaxis]),
        *(writer.write_level(n, Box.of_shape(writer.info.levels[n].shape)) for n in upper),
    ]
    writer.finish(cells)
    return open_volume(store, "m/a.ome.zarr")


@pytest.mark.parametrize("slab", [1, 7 * 140 * 180, 10**9])
def test_projections_are_those_of_the_whole_however_it_is_read(volume, monkeypatch, slab):
    monkeypatch.setattr(projections, "_SLAB_VOXELS", slab)
    seen = project(volume)
    np.testing.assert_array_equal(seen.top, VOXELS.max(axis=0))
    np.testing.assert_array_equal(seen.side, VOXELS.max(axis=1))


def test_a_wide_volume_is_seen_at_a_coarser_level(volume, monkeypatch):
    monkeypatch.setattr(projections, "_WIDEST", 100)
    seen = project(volume)
    assert max(seen.top.shape) <= 100
    assert seen.level.factor[2] == 2


def test_positions_fall_on_their_pixels(volume):
    seen = project(volume)
    at = seen.pixels(np.array([[10.0, 20.0, 30.0], [14.0, 20.0, 34.0]]))
    np.testing.assert_allclose(at, [[0, 0, 0], [1, 0, 2]])
