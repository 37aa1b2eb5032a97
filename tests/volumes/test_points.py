"""Points tables: content comes back, boxes are exact and cheap, the digest is of the rows."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.errors import FormatError, NotFoundError, RefError, StoreError
from gateway.volumes.digest import columns_digest
from gateway.volumes.points import open_points, write_points
from gateway.volumes.store import Store, open_store

KEY = "m1/cells.points.parquet"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path)


def _cells(count: int) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(3)
    return {
        "x_um": random.random(count) * 900,
        "z_um": random.random(count) * 300,
        "y_um": random.random(count) * 600,
        "label": random.integers(0, 2**63, count).astype(np.uint64) * np.uint64(2),
        "contrast": random.random(count).astype(np.float32),
        "is_edge": random.random(count) < 0.5,
        "class": np.array([("soma", "né")[i % 2] for i in range(count)], dtype=np.str_),
    }


def test_every_column_comes_back_with_positions_first(store: Store) -> None:
    cells = _cells(1000)
    digest = write_points(store, KEY, cells, {"diameter_um": 8.0}, made_by="run-1")
    table = open_points(store, KEY)
    assert table.columns[:3] == ("z_um", "y_um", "x_um")
    assert (table.count, table.digest, table.made_by) == (1000, digest, "run-1")
    assert table.attributes == {"diameter_um": 8.0}
    rows = table.read()
    back, there = np.argsort(rows["label"]), np.argsort(cells["label"])
    for name, column in cells.items():
        assert rows[name].dtype.kind == column.dtype.kind
        np.testing.assert_array_equal(rows[name][back], column[there])
    assert columns_digest(rows) == digest


def test_a_box_holds_what_a_filter_finds(store: Store) -> None:
    cells = _cells(60_000)
    write_points(store, KEY, cells)
    table = open_points(store, KEY)
    start, stop = (50.0, 100.0, 200.0), (120.0, 300.0, 500.0)
    inside = np.ones(60_000, bool)
    for axis, name in enumerate(("z_um", "y_um", "x_um")):
        inside &= (cells[name] >= start[axis]) & (cells[name] < stop[axis])
    found = table.read((start, stop), columns=["label"])
    assert list(found) == ["label"]
    assert sorted(found["label"]) == sorted(cells["label"][inside])
    assert len(table.groups_in((start, stop))) < len(table._lowest)
    assert len(table.read(((-9, -9, -9), (-1, -1, -1)))["z_um"]) == 0


def test_a_box_query_reads_few_of_many_row_groups(store: Store) -> None:
    random = np.random.default_rng(1)
    at = {name: random.random(1_000_000) for name in ("z_um", "y_um", "x_um")}
    write_points(store, KEY, at)
    table = open_points(store, KEY)
    assert len(table._lowest) >= 60
    assert len(table.groups_in(((0.3, 0.3, 0.3), (0.4, 0.4, 0.4)))) <= 6


def test_an_empty_table_keeps_its_columns(store: Store) -> None:
    digest = write_points(store, KEY, _cells(0))
    table = open_points(store, KEY)
    assert (table.count, table.bounds_um) == (0, None)
    assert columns_digest(table.read()) == digest
    assert table.read(((0, 0, 0), (1, 1, 1)))["label"].dtype == np.uint64


def test_bounds_are_the_extreme_positions(store: Store) -> None:
    at = np.array([3.0, 1.0, 2.0])
    write_points(store, KEY, {"z_um": at, "y_um": -at, "x_um": at * 10})
    assert open_points(store, KEY).bounds_um == ((1, -3, 10), (3, -1, 30))


def test_the_file_is_the_same_whatever_the_order_of_rows(store: Store) -> None:
    cells = _cells(500)
    write_points(store, "a", cells)
    mixed = np.random.default_rng(0).permutation(500)
    write_points(store, "b", {name: column[mixed] for name, column in cells.items()})
    assert store.get("a") == store.get("b")


COORDINATE = st.sampled_from([0.0, -0.0, 1.5, -2.0])
ROWS = st.lists(st.tuples(COORDINATE, COORDINATE, COORDINATE, st.integers(-2, 2)))


@given(ROWS, st.randoms())
def test_the_digest_does_not_depend_on_order(rows: list[Any], random: Any) -> None:
    def digest(table: list[Any], names: tuple[str, ...]) -> str:
        values = np.array(table).reshape(-1, 4).T
        columns = dict(zip(("z_um", "y_um", "x_um", "n"), values, strict=True))
        return columns_digest({name: columns[name] for name in names})

    mixed = random.sample(rows, len(rows))
    first = digest(rows, ("z_um", "y_um", "x_um", "n"))
    assert digest(mixed, ("n", "x_um", "z_um", "y_um")) == first
    assert digest([*rows, (0.0, 0.0, 0.0, 9)], ("z_um", "y_um", "x_um", "n")) != first


def test_the_digest_sees_values_names_and_types() -> None:
    at = np.zeros(2)
    base = {"z_um": at, "y_um": at, "x_um": at, "n": np.array([1.0, np.nan])}
    digests = {
        columns_digest(base),
        columns_digest(base | {"n": np.array([1.0, 2.0])}),
        columns_digest(base | {"n": np.array([1.0, 2.0], np.float32)}),
        columns_digest(base | {"n": np.array(["1", "2"])}),
        columns_digest(base | {"m": np.array([1.0, 2.0])}),
    }
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z_um": None}, "lacks z_um; got y_um, x_um; expected z_um,y_um,x_um in micrometres"),
        ({"n": np.zeros(3)}, r"column 'n' has shape \(3,\); expected \(2,\)"),
        ({"n": np.zeros((2, 2))}, r"column 'n' has shape \(2, 2\)"),
        ({"n": np.array([1, 2j])}, "column 'n' is of type complex128"),
        ({"n\n": np.zeros(2)}, "is not allowed; expected printable text"),
        ({"y_um": np.array([1, np.nan])}, r"column y_um has 1 positions .* in row 1 \(nan\)"),
    ],
)
def test_bad_columns_are_named(store: Store, change: dict[str, Any], message: str) -> None:
    columns = {"z_um": np.zeros(2), "y_um": np.zeros(2), "x_um": np.zeros(2)} | change
    with pytest.raises(FormatError, match=message):
        write_points(store, KEY, {n: c for n, c in columns.items() if c is not None})
    assert not store.exists(KEY)


def test_a_file_of_another_program_opens(store: Store) -> None:
    path = store.local_path("m1/other.parquet")
    assert path is not None
    path.parent.mkdir()
    at = pa.array([1.0, 2.0])
    pq.write_table(pa.table({"n": [1, 2], "z_um": at, "y_um": at, "x_um": at}), path)
    table = open_points(store, "m1/other.parquet")
    assert table.digest is None
    assert table.read(((0, 0, 0), (1.5, 9, 9)))["n"].tolist() == [1]
    pq.write_table(pa.table({"n": [1]}), path)
    with pytest.raises(FormatError, match="has the columns n; expected z_um,y_um,x_um"):
        open_points(store, "m1/other.parquet")


def test_broken_files_and_wrong_columns_are_named(store: Store) -> None:
    write_points(store, KEY, _cells(100))
    with pytest.raises(NotFoundError, match=r"no column 'volume' in .*; there is z_um, y_um"):
        open_points(store, KEY).read(columns=["volume"])
    store.put(KEY, store.get(KEY)[:-20])
    with pytest.raises(FormatError, match=r"cells\.points\.parquet .* cannot be read as a points"):
        open_points(store, KEY)
    with pytest.raises(NotFoundError, match="there is no m1/none"):
        open_points(store, "m1/none.points.parquet")


def test_a_flipped_byte_among_the_rows_is_noticed_by_whoever_reads(store: Store) -> None:
    write_points(store, KEY, _cells(3000))
    content = bytearray(store.get(KEY))
    content[len(content) // 2] ^= 1
    store.put(KEY, bytes(content))
    with pytest.raises(FormatError, match="cannot be read as a points table"):
        open_points(store, KEY).read()


def test_a_store_that_fails_is_not_taken_for_a_broken_file(store: Store) -> None:
    write_points(store, KEY, _cells(10))
    table = open_points(store, KEY)
    shutil.rmtree(store.url)
    for read in (table.read, lambda: open_points(store, KEY)):
        with pytest.raises(StoreError, match="has vanished"):
            read()
    with pytest.raises(RefError, match="would leave its folder"):
        open_points(store, "../cells.points.parquet")
