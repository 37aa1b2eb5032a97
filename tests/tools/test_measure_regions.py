"""Every object measured: as scikit-image does it, whatever the blocks and workers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from skimage.measure import regionprops

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import CallError, GatewayError
from gateway.run.events import TaskDone
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box
from gateway.volumes.dataset import entry_key
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.points import PointsTable, open_points
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import Store, open_store
from gateway.volumes.writer import create_volume

SHAPE = (70, 130, 150)
VOXEL_UM = (2.0, 0.5, 0.5)


def _write(store: Store, name: str, voxels: NDArray[Any], **extra: Any) -> None:
    kind = "labels" if voxels.dtype.name in {"uint32", "uint64"} else "image"
    names = [Channel(name=f"c{i}") for i in range(len(voxels))]
    info = VolumeInfo(
        **{
            "kind": kind,
            "dtype": voxels.dtype.name,
            "shape": voxels.shape[1:],
            "voxel_um": VOXEL_UM,
            "origin_um": (10.0, 0.0, -5.0),
            "channels": tuple(names),
        }
        | extra
    )
    reduce = reduce_mode if kind == "labels" else reduce_mean
    writer = create_volume(store, f"m1/{name}.ome.zarr", info, reduce)
    cells = [writer.write(Box.of_shape(info.shape), voxels)]
    cells += [
        writer.write_level(level, Box.of_shape(writer.info.levels[level].shape))
        for level in range(writer.derived + 1, len(writer.info.levels))
    ]
    writer.finish(cells)


def _labels(seed: int = 0) -> NDArray[Any]:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 9, (7, 13, 15)).astype(np.uint64) * np.uint64(2**55 + 1)
    return np.kron(coarse, np.ones((10, 10, 10), np.uint64))[np.newaxis]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = open_store(tmp_path / "store", create=True)
    random = np.random.default_rng(1)
    _write(made, "masks", _labels())
    _write(made, "raw", random.integers(0, 65536, (2, *SHAPE)).astype(np.uint16))
    _write(made, "smooth", random.normal(0, 3, (1, *SHAPE)).astype(np.float32))
    return made


def _measure(
    store: Store,
    image: str | None,
    name: str,
    params: dict[str, Any] | None = None,
    listeners: Sequence[Callable[[object], None]] = (),
    **options: Any,
) -> PointsTable:
    spec = get_tool("measure_regions")
    inputs = {"labels": "m1/masks"} | ({"image": image} if image else {})
    call = make_call(spec, inputs, {"regions": f"m1/{name}"}, params or {})
    execute(make_plan(spec, call, store, RunOptions(**options)), store, listeners=listeners)
    return open_points(store, entry_key(parse_ref(f"m1/{name}"), "points"))


def test_the_table_is_that_of_scikit_image(store: Store) -> None:
    table = _measure(store, "m1/raw", "cells", workers=1)
    assert table.columns == (
        *("z_um", "y_um", "x_um", "label", "volume_voxels", "volume_um3", "diameter_um"),
        *("z_start", "z_stop", "y_start", "y_stop", "x_start", "x_stop"),
        *("mean_c0", "std_c0", "skewness_c0", "kurtosis_c0"),
        *("mean_c1", "std_c1", "skewness_c1", "kurtosis_c1"),
    )
    rows = table.read()
    order = np.argsort(rows["label"])
    labels = _labels()[0]
    small = (labels // np.uint64(2**55 + 1)).astype(int)
    random = np.random.default_rng(1)
    image = random.integers(0, 65536, (2, *SHAPE)).astype(np.uint16)
    regions = regionprops(small)
    assert table.count == len(regions) == 8
    for row, region in zip(order, regions, strict=True):
        assert rows["label"][row] == region.label * (2**55 + 1)
        assert rows["volume_voxels"][row] == region.area
        assert rows["volume_um3"][row] == region.area * 0.5
        np.testing.assert_allclose(
            rows["diameter_um"][row], 2 * (region.area * 0.5 * 3 / 4 / np.pi) ** (1 / 3), atol=1e-6
        )
        bounds = [rows[f"{axis}_{end}"][row] for end in ("start", "stop") for axis in "zyx"]
        assert tuple(bounds) == region.bbox
        centre = np.array(region.centroid) * VOXEL_UM + (10, 0, -5)
        np.testing.assert_allclose([rows[f"{a}_um"][row] for a in "zyx"], centre)
        for channel in range(2):
            values = image[channel][small == region.label].astype(float)
            got = [rows[f"{w}_c{channel}"][row] for w in ("mean", "std", "skewness", "kurtosis")]
            told = [values.mean(), values.std(), stats.skew(values), stats.kurtosis(values)]
            np.testing.assert_allclose(got, told, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("image", ["m1/raw", "m1/smooth"])
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(block=st.tuples(st.integers(9, 80), st.integers(9, 140), st.integers(9, 160)))
def test_blocks_change_nothing(store: Store, image: str, block: tuple[int, int, int]) -> None:
    number = len(store.list("m1").files)
    whole = _measure(store, image, f"whole{number}", workers=1)
    cut = _measure(store, image, f"cut{number}", workers=1, block_voxels=block)
    assert cut.digest == whole.digest


def test_workers_change_nothing(store: Store) -> None:
    whole = _measure(store, "m1/smooth", "whole", workers=1)
    many = _measure(store, "m1/smooth", "many", workers=3, block_voxels=(32, 64, 64))
    assert many.digest == whole.digest


def test_a_killed_worker_changes_nothing(store: Store) -> None:
    whole = _measure(store, "m1/smooth", "whole", workers=1)
    killed: list[psutil.Process] = []

    def kill(event: object) -> None:
        if isinstance(event, TaskDone) and not killed:
            workers = psutil.Process().children(recursive=True)
            killed.extend(w for w in workers if "gateway.run.worker" in " ".join(w.cmdline()))
            for worker in killed:
                worker.kill()

    block = (32, 64, 64)
    many = _measure(store, "m1/smooth", "many", listeners=[kill], workers=2, block_voxels=block)
    assert killed
    assert many.digest == whole.digest


def test_chosen_channels_and_none_at_all(store: Store) -> None:
    one = _measure(store, "m1/raw", "one", {"channels": ("c1",)}, workers=1)
    assert one.columns[-4:] == ("mean_c1", "std_c1", "skewness_c1", "kurtosis_c1")
    assert "mean_c0" not in one.columns
    plain = _measure(store, None, "plain", workers=1)
    assert plain.columns[-1] == "x_stop"
    assert plain.read()["volume_voxels"].tolist() == one.read()["volume_voxels"].tolist()


def test_no_objects_give_an_empty_table_of_all_columns(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    _write(store, "masks", np.zeros((1, 20, 30, 40), np.uint32))
    _write(store, "raw", np.ones((1, 20, 30, 40), np.uint16))
    table = _measure(store, "m1/raw", "cells", workers=1)
    assert table.count == 0
    assert table.columns[-4:] == ("mean_c0", "std_c0", "skewness_c0", "kurtosis_c0")
    assert table.read()["label"].dtype == np.uint32


def test_what_does_not_fit_is_refused_with_both_sizes(store: Store) -> None:
    _write(store, "small", np.zeros((1, 70, 130, 149), np.uint16))
    message = r"labels have the shape \(70, 130, 150\), but the image has \(70, 130, 149\)"
    with pytest.raises(CallError, match=message):
        _measure(store, "m1/small", "cells")
    _write(store, "coarse", np.zeros((1, *SHAPE), np.uint16), voxel_um=(2.0, 1.0, 1.0))
    with pytest.raises(CallError, match=r"\(2\.0, 0\.5, 0\.5\) µm, but those of the image \(2\.0"):
        _measure(store, "m1/coarse", "cells")
    with pytest.raises(CallError, match="there is no channel 'red'; there is c0, c1"):
        _measure(store, "m1/raw", "cells", {"channels": ("red",)})


def test_intensities_that_are_not_finite_are_named(store: Store) -> None:
    voxels = np.zeros((1, *SHAPE), np.float32)
    voxels[0, 3, 4, 5] = np.nan
    _write(store, "holes", voxels)
    with pytest.raises(GatewayError, match="channel 'c0' of the image holds values that are not"):
        _measure(store, "m1/holes", "cells", workers=1)
