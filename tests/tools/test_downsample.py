"""The tool `downsample`: exact, and the same however it is cut."""

from pathlib import Path

import numpy as np
import pytest

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import CallError
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.local_store import LocalStore
from gateway.volumes.open import open_ref
from gateway.volumes.ref import Ref
from gateway.volumes.store import Store


def run(store: Store, tool: str, inputs: dict, outputs: dict, settings: dict, **how: object) -> str:
    spec = get_tool(tool)
    call = make_call(spec, inputs, outputs, settings)
    result = execute(make_plan(spec, call, store, RunOptions(workers=1, **how)), store)
    return next(iter(result.outputs.values())).digest


@pytest.fixture
def stocked(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    store = LocalStore(tmp_path / "store")
    rng = np.random.default_rng(0)
    for name, dtype, port in (("raw", "u2", "image"), ("cells", "u4", "labels")):
        np.save(tmp_path / f"{name}.npy", rng.integers(0, 9, (2, 37, 90, 75)).astype(dtype))
        inputs = {"source": str(tmp_path / f"{name}.npy")}
        run(store, "ingest_volume", inputs, {port: f"m1/{name}"}, {"voxel_um": (4, 1, 1)})
    return store


@pytest.mark.parametrize(
    ("port", "name", "reduce"), [("image", "raw", reduce_mean), ("labels", "cells", reduce_mode)]
)
def test_it_equals_the_whole_array(stocked: Store, port: str, name: str, reduce) -> None:
    factor = (1, 3, 2)
    outputs = {port: "m1/small"}
    run(stocked, "downsample", {port: f"m1/{name}"}, outputs, {"factor": factor})
    small, whole = (open_ref(stocked, Ref("m1", n)) for n in ("small", name))
    for channel in range(2):
        np.testing.assert_array_equal(small[0][channel], reduce(whole[0][channel], factor))
    assert small.info.voxel_um == (4, 3, 2)
    assert small.info.origin_um == (0, 1, 0.5)


def test_blocks_of_any_shape_give_one_digest(stocked: Store) -> None:
    digests = {
        run(
            stocked,
            "downsample",
            {"image": "m1/raw"},
            {"image": f"m1/small{i}"},
            {"factor": (2, 2, 2)},
            block_voxels=block,
        )
        for i, block in enumerate([None, (5, 7, 11), (64, 64, 1)])
    }
    assert len(digests) == 1


def test_one_input_is_wanted(stocked: Store) -> None:
    with pytest.raises(CallError, match="downsample: 2 inputs given; give one"):
        run(
            stocked,
            "downsample",
            {"image": "m1/raw", "labels": "m1/cells"},
            {"image": "m1/x"},
            {},
        )


def test_export_as_a_tool(stocked: Store, tmp_path: Path) -> None:
    settings = {"start_voxels": (1, 2, 3), "stop_voxels": (9, 30, 40)}
    file = tmp_path / "a.npy"
    digest = run(stocked, "export", {"image": "m1/raw"}, {"file": str(file)}, settings)
    assert digest.startswith("blake3:")
    whole = open_ref(stocked, Ref("m1", "raw"))
    np.testing.assert_array_equal(np.load(file), whole[0][:, 1:9, 2:30, 3:40])
    two = {"image": "m1/raw", "labels": "m1/cells"}
    with pytest.raises(CallError, match="export: 2 inputs given"):
        get_tool("export").function(**two, outputs=None)
