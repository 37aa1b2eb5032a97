"""Export: levels, boxes and tables leave the store unchanged in value, scale and place."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from gateway.errors import CallError, ExistsError, FormatError, NotFoundError
from gateway.service.exports import export
from gateway.service.gateway import Gateway
from gateway.volumes.box import Box
from gateway.volumes.formats.registry import open_source
from gateway.volumes.open import open_ref
from gateway.volumes.points import write_points
from gateway.volumes.ref import Ref, parse_ref


def test_a_box_of_a_level_keeps_scale_and_place(filled, tmp_path: Path) -> None:
    gateway = filled.gateway
    volume = open_ref(gateway.store, Ref("m1", "raw"))
    box = Box((3, 4, 5), (20, 30, 40))
    for suffix in (".tif", ".nii.gz", ".nrrd", ".ome.zarr"):
        path = tmp_path / f"a{suffix}"
        export(gateway, Ref("m1", "raw"), path, box=box)
        source = open_source(path)
        expected = volume.read(box)
        np.testing.assert_array_equal(source.read(Box.of_shape(source.info.shape)), expected)
        assert source.info.voxel_um == pytest.approx(volume.info.voxel_um)
        assert source.info.origin_um == pytest.approx((6, 4, 5))


@pytest.fixture
def points(gateway: Gateway) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    columns = {f"{a}_um": rng.uniform(0, 100, 300) for a in "zyx"}
    columns["peak"] = rng.integers(0, 999, 300)
    columns["who"] = np.array([f"cell {i}, left" for i in range(300)])
    columns["score"] = np.where(rng.random(300) < 0.1, np.nan, 0.1)
    write_points(gateway.store, "m1/cells.points.parquet", columns, {"unit": "um"})
    return columns


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet", ".h5", ".tsv"])
def test_tables_are_read_back_by_others(
    gateway: Gateway, points: dict[str, np.ndarray], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"cells{suffix}"
    export(gateway, Ref("m1", "cells"), path)
    if suffix == ".csv":
        frame = pd.read_csv(path)
    elif suffix == ".json":
        frame = pd.DataFrame(json.loads(path.read_text()))
    elif suffix == ".tsv":
        frame = pd.read_csv(path, sep="\t")
    elif suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        with h5py.File(path) as file:
            frame = pd.DataFrame({k: file[k][:] for k in points})
            frame["who"] = frame["who"].str.decode("utf-8")
    expected = pd.DataFrame(points).sort_values("z_um", ignore_index=True)
    got = frame[list(points)].sort_values("z_um", ignore_index=True)
    pd.testing.assert_frame_equal(got, expected, check_dtype=False, rtol=1e-12)


def test_what_cannot_be_exported_is_refused(
    gateway: Gateway, points: dict[str, np.ndarray], tmp_path: Path
) -> None:
    del points
    cells = parse_ref("m1/cells")
    with pytest.raises(FormatError, match=r"points as 'a.xls'; use .csv, .json, .parquet, .h5"):
        export(gateway, cells, tmp_path / "a.xls")
    with pytest.raises(CallError, match="table of points: --level and --box are for volumes"):
        export(gateway, cells, tmp_path / "a.csv", level=1)
    export(gateway, cells, tmp_path / "a.csv")
    with pytest.raises(ExistsError, match=r"a\.csv already exists"):
        export(gateway, cells, tmp_path / "a.csv")
    with pytest.raises(NotFoundError, match="no m1/none"):
        export(gateway, parse_ref("m1/none"), tmp_path / "a.csv")
