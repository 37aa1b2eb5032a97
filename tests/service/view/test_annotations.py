"""Points as annotations: read by Neuroglancer's own reader, nothing lost, none twice."""

import json

import numpy as np
import pytest

from gateway.errors import FormatError, NotFoundError
from gateway.service.view.annotation_grid import LIMIT, lots
from gateway.service.view.annotation_index import build_index
from gateway.service.view.annotations import index_of, read
from gateway.service.view.kept import Kept
from gateway.volumes.points import open_points, write_points
from gateway.volumes.ref import Ref

CELLS = Ref("brain", "cells")
BRAIN_UM = (800.0, 1300.0, 1100.0)


def cells(rows, **more):
    random = np.random.default_rng(2)
    at = random.random((rows, 3)) * BRAIN_UM
    return {name: at[:, i] for i, name in enumerate(("z_um", "y_um", "x_um"))} | more


def written(gateway, ref, folder):
    """Write every file of the annotations, as a web server would hold them."""
    info = json.loads(read(gateway, ref, "info"))
    (folder / "info").write_text(json.dumps(info))
    for level in info["spatial"]:
        (folder / level["key"]).mkdir()
        for cell in np.ndindex(*level["grid_shape"]):
            name = "_".join(map(str, cell))
            key = f"{level['key']}/{name}"
            (folder / key).write_bytes(read(gateway, ref, key))
    (folder / "by_id").mkdir()
    return info


@pytest.fixture
def reader(tmp_path):
    """Return what opens annotations as the viewer's Python package does."""
    module = pytest.importorskip("neuroglancer.read_precomputed_annotations")
    folder = tmp_path / "written"
    folder.mkdir()

    def open_reader(gateway, ref):
        written(gateway, ref, folder)
        for number in (0, 1, 4999):
            (folder / "by_id" / str(number)).write_bytes(read(gateway, ref, f"by_id/{number}"))
        return module.AnnotationReader({"driver": "file", "path": f"{folder}/"})

    return open_reader


def test_neuroglancers_own_reader_finds_every_point_once_with_its_columns(brain, reader) -> None:
    annotations = reader(brain, CELLS)
    table = open_points(brain.store, "brain/cells.points.parquet").read()
    assert [p.id for p in annotations.properties] == ["label", "mean_a_u", "class"]
    assert [p.type for p in annotations.properties] == ["uint32", "float32", "uint8"]
    assert list(annotations.properties[2].enum_labels) == ["artefact", "glia", "neuron"]
    found = {}
    for level in annotations.spatial:
        shape = level.metadata["grid_shape"]
        for cell in np.ndindex(*shape):
            for point in level[cell]:
                assert int(point.id) not in found
                found[int(point.id)] = point
    assert sorted(found) == list(range(5000))
    for number in (0, 17, 4999):
        row = {name: column[number] for name, column in table.items()}
        point = found[number]
        assert np.allclose(point.point, [row["x_um"], row["y_um"], row["z_um"]])
        label, mean, kind = point.props
        assert label == row["label"]
        assert mean == pytest.approx(row["Mean (a.u.)"])
        assert ["artefact", "glia", "neuron"][kind] == row["class"]
    single = annotations.by_id[4999]
    assert np.allclose(single.point, found[4999].point)
    assert list(single.props) == list(found[4999].props)


def test_coarse_levels_show_few_points_and_all_levels_all(gateway) -> None:
    write_points(gateway.store, "brain/cells.points.parquet", cells(60_000))
    info = json.loads(read(gateway, CELLS, "info"))
    shown = []
    for level in info["spatial"]:
        counts = [
            int.from_bytes(read(gateway, CELLS, f"{level['key']}/{x}_{y}_{z}")[:8], "little")
            for x, y, z in np.ndindex(*level["grid_shape"])
        ]
        assert max(counts) < LIMIT * 1.1
        assert level["limit"] <= LIMIT
        shown.append(sum(counts))
    assert sum(shown) == 60_000
    assert LIMIT * 0.9 < shown[0] < LIMIT * 1.1


def test_the_index_is_as_the_format_wants_it(gateway) -> None:
    write_points(gateway.store, "brain/cells.points.parquet", cells(60_000))
    info = json.loads(read(gateway, CELLS, "info"))
    low, high = np.asarray(info["lower_bound"]), np.asarray(info["upper_bound"])
    assert list(info["dimensions"]) == ["x", "y", "z"]
    assert info["dimensions"]["x"] == [1e-6, "m"]
    assert (high[::-1] > BRAIN_UM).sum() >= 1
    before = None
    for level in info["spatial"]:
        size = np.asarray(level["chunk_size"])
        assert np.allclose(size * level["grid_shape"], high - low)
        if before is not None:
            assert set(np.round(before / size, 9)) <= {1.0, 2.0}
        before = size
    table = open_points(gateway.store, "brain/cells.points.parquet").read()
    for axis, name in enumerate(("x_um", "y_um", "z_um")):
        assert low[axis] <= table[name].min()
        assert table[name].max() < high[axis]


def test_rows_outside_memory_are_found_as_those_inside(gateway, monkeypatch) -> None:
    write_points(gateway.store, "brain/cells.points.parquet", cells(50_000))
    table = open_points(gateway.store, "brain/cells.points.parquet")
    whole = build_index(table, ("whole",))
    monkeypatch.setattr("gateway.service.view.annotation_index._SAMPLE_ROWS", 20_000)
    part = build_index(table, ("part",))
    assert None in part.samples
    assert None not in whole.samples
    found = []
    for number, level in enumerate(part.levels):
        for cell in np.ndindex(*level.shape):
            body = part.cell(number, cell)
            count = int.from_bytes(body[:8], "little")
            found.append(np.frombuffer(body, "<u8", offset=8 + 12 * count))
    assert sorted(np.concatenate(found)) == list(range(50_000))
    if part.levels[-1].halvings == whole.levels[-1].halvings:
        assert len(part.levels) == len(whole.levels)


def test_the_order_in_a_cell_is_drawn_and_always_the_same(gateway) -> None:
    write_points(gateway.store, "brain/cells.points.parquet", cells(3000))
    body = read(gateway, CELLS, "spatial0/0_0_0")
    ids = np.frombuffer(body, "<u8", offset=8 + 12 * 3000)
    assert np.all(np.diff(lots(ids)) >= 0)
    assert not np.all(np.diff(ids.astype(np.int64)) > 0)
    assert body == read(gateway, CELLS, "spatial0/0_0_0")


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_points_have_an_index(gateway, rows) -> None:
    at = {name: np.full(rows, 5.0) for name in ("z_um", "y_um", "x_um")}
    write_points(gateway.store, "brain/cells.points.parquet", at)
    info = json.loads(read(gateway, CELLS, "info"))
    assert len(info["spatial"]) == 1
    assert all(b > a for a, b in zip(info["lower_bound"], info["upper_bound"], strict=True))
    assert int.from_bytes(read(gateway, CELLS, "spatial0/0_0_0")[:8], "little") == rows


def test_points_at_one_place_end_the_index(gateway) -> None:
    at = {name: np.full(20_000, 5.0) for name in ("z_um", "y_um", "x_um")}
    write_points(gateway.store, "brain/cells.points.parquet", at)
    index = index_of(gateway, CELLS)
    assert len(index.levels) <= 12
    total = 0
    for number, level in enumerate(index.levels):
        last = tuple(n - 1 for n in level.shape)
        for cell in {(0, 0, 0), last}:
            total += int.from_bytes(index.cell(number, cell)[:8], "little")
    assert total == 20_000


def test_columns_of_every_kind_are_sent_or_left_out(gateway) -> None:
    rows = 10
    more = {
        "big": np.full(rows, 2**40, np.int64),
        "low": np.full(rows, -5, np.int64),
        "tiny": np.full(rows, -5, np.int8),
        "yes": np.ones(rows, bool),
        "half": np.full(rows, 0.5, np.float64),
        "1st": np.full(rows, 1, np.uint16),
        "x": np.full(rows, 9, np.uint32),
        "empty": np.full(rows, ""),
    }
    write_points(gateway.store, "brain/cells.points.parquet", cells(rows, **more))
    info = json.loads(read(gateway, CELLS, "info"))
    types = {p["id"]: p["type"] for p in info["properties"]}
    assert types == {
        "big": "float32", "low": "int32", "half": "float32", "x_2": "uint32",
        "p_1st": "uint16", "tiny": "int8", "yes": "uint8", "empty": "uint8",
    }  # fmt: skip
    sizes = [np.dtype(p["type"]).itemsize for p in info["properties"]]
    assert sizes == sorted(sizes, reverse=True)
    body = read(gateway, CELLS, "by_id/3")
    assert len(body) == 12 + 4 * 4 + 2 + 3 + 3


def test_text_of_many_words_is_left_out(gateway) -> None:
    names = np.asarray([f"cell {i}" for i in range(300)])
    write_points(gateway.store, "brain/cells.points.parquet", cells(300, name=names))
    assert json.loads(read(gateway, CELLS, "info"))["properties"] == []


def test_a_table_that_takes_the_name_of_another_is_seen(gateway, monkeypatch) -> None:
    monkeypatch.setattr("gateway.service.view.annotations._TRUSTED_S", 0.0)
    write_points(gateway.store, "brain/cells.points.parquet", cells(10))
    assert read(gateway, CELLS, "spatial0/0_0_0")[0] == 10
    write_points(gateway.store, "brain/cells.points.parquet", cells(11))
    assert read(gateway, CELLS, "spatial0/0_0_0")[0] == 11


@pytest.mark.parametrize(
    "key",
    [
        "", "inf", "spatial0", "spatial9/0_0_0", "spatial0/1_0_0", "spatial0/0_0", "by_id/5000",
        "by_id/-1", "by_id/x", "spatial0/0_0_0/", "../info", "by_id/99999999999999999999",
    ],
)  # fmt: skip
def test_keys_that_are_none_are_not_found(brain, key) -> None:
    with pytest.raises(NotFoundError):
        read(brain, CELLS, key)


def test_a_table_that_is_none_is_told(gateway) -> None:
    with pytest.raises(NotFoundError, match="brain/cells"):
        read(gateway, CELLS, "info")
    gateway.store.put("brain/cells.points.parquet", b"PAR1 nothing of the kind PAR1")
    with pytest.raises(FormatError, match="points table"):
        read(gateway, CELLS, "info")


def test_what_is_kept_stays_within_its_bound() -> None:
    kept = Kept(100, len)
    for number in range(10):
        kept.put(number, b"x" * 30)
    assert kept.nbytes <= 100
    assert kept.get(0) is None
    assert kept.get(9) == b"x" * 30
    kept.put("large", b"x" * 101)
    assert kept.get("large") is None
    kept.put(9, b"y")
    assert kept.get(9) == b"y"
    assert kept.nbytes == 61
