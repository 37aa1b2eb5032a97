"""A run on a bucket, and one on voxels registered in place, give what a run in a folder gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box
from gateway.volumes.dataset import list_entries
from gateway.volumes.link import register
from gateway.volumes.model import VolumeInfo
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import Store, open_store
from gateway.volumes.volume import open_volume
from gateway.volumes.writer import create_volume

SHAPE = (64, 96, 128)


def _fill(store: Store, dataset: str = "m1") -> None:
    labels = np.kron(np.arange(2 * 3 * 4).reshape(2, 3, 4), np.ones((32, 32, 32), int))
    image = np.random.default_rng(0).integers(0, 65536, SHAPE)
    for name, kind, dtype, voxels in (
        ("masks", "labels", "uint32", labels),
        ("raw", "image", "uint16", image),
    ):
        info = VolumeInfo(kind=kind, dtype=dtype, shape=SHAPE, voxel_um=(1, 1, 1))  # type: ignore[arg-type]
        reduce = reduce_mode if kind == "labels" else reduce_mean
        writer = create_volume(store, f"{dataset}/{name}.ome.zarr", info, reduce)
        writer.finish([writer.write(Box.of_shape(SHAPE), voxels[np.newaxis].astype(dtype))])


def _smooth(store: Store, **options: Any) -> str | None:
    spec = get_tool("smooth_gaussian")
    call = make_call(spec, {"image": "m1/raw"}, {"image": "m1/smooth"}, {"sigma_um": 1.0})
    result = execute(make_plan(spec, call, store, RunOptions(**options)), store)
    return result.outputs["image"].digest


def _measure(store: Store, **options: Any) -> str | None:
    spec = get_tool("measure_regions")
    inputs = {"labels": "m1/masks", "image": "m1/raw"}
    call = make_call(spec, inputs, {"regions": "m1/cells"}, {})
    result = execute(make_plan(spec, call, store, RunOptions(**options)), store)
    return result.outputs["regions"].digest


@pytest.fixture
def in_a_folder(tmp_path: Path) -> Store:
    store = open_store(tmp_path / "store", create=True)
    _fill(store)
    return store


@pytest.mark.s3
def test_a_run_on_a_bucket(in_a_folder: Store, s3_url: str) -> None:
    bucket = open_store(s3_url)
    _fill(bucket)
    digest = _measure(bucket, workers=2, block_voxels=(32, 64, 64))
    assert digest == _measure(in_a_folder, workers=1)
    smooth = _smooth(bucket, workers=1, block_voxels=(30, 50, 70))
    assert smooth == _smooth(in_a_folder, workers=1)
    assert open_volume(bucket, "m1/smooth.ome.zarr").info.digest == smooth
    kinds = [(entry.ref.name, entry.kind) for entry in list_entries(bucket, "m1")]
    assert kinds == [
        ("cells", "points"),
        ("masks", "labels"),
        ("raw", "image"),
        ("smooth", "image"),
    ]
    assert ".staging" not in bucket.list("m1").folders


def test_a_run_on_what_lies_elsewhere(in_a_folder: Store, tmp_path: Path) -> None:
    other = open_store(tmp_path / "other", create=True)
    for name in ("masks", "raw"):
        register(other, parse_ref(f"m1/{name}"), f"{in_a_folder.url}/m1/{name}.ome.zarr")
    assert _measure(other, workers=2, block_voxels=(32, 64, 64)) == _measure(in_a_folder, workers=1)
