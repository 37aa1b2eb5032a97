"""A store with an image, and tools of an installed package to run on it."""

import numpy as np
import pytest

from gateway.algo.pyramid import reduce_mean
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box
from gateway.volumes.model import VolumeInfo
from gateway.volumes.store import open_store
from gateway.volumes.writer import create_volume

SHAPE = (70, 150, 200)


@pytest.fixture(scope="module", autouse=True)
def with_trial_tools(trialtools):
    """Every file of tests here works with the trial tools."""


def write_image(store, key="m1/raw.ome.zarr", shape=SHAPE, seed=1):
    """Write a smooth random image of voxels 2 x 1 x 1 um, in small shards."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 4000, tuple(-(-n // 8) for n in shape), dtype=np.uint16)
    voxels = np.kron(coarse, np.ones((8, 8, 8), np.uint16))[tuple(slice(n) for n in shape)]
    voxels = voxels + random.integers(0, 50, shape, dtype=np.uint16)
    info = VolumeInfo(kind="image", dtype="uint16", shape=shape, voxel_um=(2.0, 1.0, 1.0))
    writer = create_volume(store, key, info, reduce_mean)
    cells = [writer.write(Box.of_shape(shape), voxels[np.newaxis])]
    cells += [
        writer.write_level(level, Box.of_shape(writer.info.levels[level].shape))
        for level in range(writer.derived + 1, len(writer.info.levels))
    ]
    writer.finish(cells)
    return voxels


@pytest.fixture
def make_image():
    return write_image


@pytest.fixture
def store(tmp_path):
    """Make a store whose `m1/raw` is an image."""
    made = open_store(tmp_path / "store", create=True)
    write_image(made)
    return made


@pytest.fixture
def go(store):
    """Plan and execute a call of a trial tool on `m1/raw`."""

    def run(tool, outputs, settings=None, *, listeners=(), cancel=None, inputs=None, **options):
        plan = prepare(tool, outputs, settings, inputs=inputs, **options)
        return execute(plan, store, listeners=listeners, cancel=cancel)

    def prepare(tool, outputs, settings=None, *, inputs=None, **options):
        spec = get_tool(tool)
        call = make_call(spec, inputs or {"image": "m1/raw"}, outputs, settings or {})
        return make_plan(spec, call, store, RunOptions(**options))

    run.plan = prepare
    return run
