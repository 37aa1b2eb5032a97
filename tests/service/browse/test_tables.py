"""Tables: figures of columns, rows of boxes, against NumPy."""

import numpy as np
import pytest

from gateway.errors import BoxError, CallError, NotFoundError
from gateway.service.browse.tables import parse_box_um, read_rows, summarize_table
from gateway.volumes.points import open_points, write_points
from gateway.volumes.ref import parse_ref

REF = parse_ref("m1/cells")


def write(gateway, count, **more):
    random = np.random.default_rng(5)
    z, y, x = random.uniform(0, 100, (3, count))
    columns = {"z_um": z, "y_um": y, "x_um": x, **more}
    write_points(gateway.store, "m1/cells.points.parquet", columns)
    return columns


def test_columns_are_told_as_numpy_tells_them(gateway):
    score = np.random.default_rng(1).normal(3, 1, 5000)
    score[:7] = np.nan
    kind = np.where(np.arange(5000) % 4 == 0, "neuron", "glia")
    rank = (np.arange(5000) % 5).astype("uint8")
    write(gateway, 5000, score=score, kind=kind, rank=rank)
    told = {column.name: column for column in summarize_table(gateway, REF).columns}
    good = score[7:]
    assert told["score"].missing == 7
    assert told["score"].lowest == good.min()
    assert told["score"].mean == pytest.approx(good.mean())
    assert told["score"].quantiles["0.5"] == pytest.approx(np.median(good))
    assert sum(told["score"].histogram.counts) == pytest.approx(0.99 * len(good), rel=0.01)
    assert told["kind"].values == {"glia": 3750, "neuron": 1250}
    assert told["rank"].histogram.counts == (1000,) * 5


def test_a_long_table_is_told_from_a_sample_of_all_of_it(gateway):
    columns = write(gateway, 700_000)
    told = summarize_table(gateway, REF)
    assert told.count == 700_000
    assert 100_000 < told.looked_at < 400_000
    x = next(column for column in told.columns if column.name == "x_um")
    assert x.mean == pytest.approx(columns["x_um"].mean(), abs=2)


def test_an_empty_table_has_columns_and_no_figures(gateway):
    write(gateway, 0)
    told = summarize_table(gateway, REF)
    assert told.count == 0
    assert told.bounds_um is None
    assert all(column.histogram is None for column in told.columns)
    assert read_rows(gateway, REF).rows == ()


def test_a_column_of_one_value_or_none_is_told(gateway):
    write(gateway, 50, same=np.full(50, 7.5), none=np.full(50, np.nan))
    told = {column.name: column for column in summarize_table(gateway, REF).columns}
    assert sum(told["same"].histogram.counts) == 50
    assert told["none"].missing == 50
    assert read_rows(gateway, REF, columns=["none"], limit=2).rows == ((None,), (None,))


def test_rows_of_a_box_are_those_inside(gateway):
    columns = write(gateway, 40_000)
    box = ((10.0, 20.0, 30.0), (15.0, 40.0, 50.0))
    inside = np.ones(40_000, bool)
    for name, low, high in zip(("z_um", "y_um", "x_um"), *box, strict=True):
        inside &= (columns[name] >= low) & (columns[name] < high)
    found = read_rows(gateway, REF, box_um=box, limit=10_000)
    assert found.total == inside.sum() == len(found.rows)
    assert sorted(row[2] for row in found.rows) == sorted(columns["x_um"][inside])
    few = read_rows(gateway, REF, box_um=box, columns=["x_um"], limit=3)
    assert (few.total, len(few.rows), few.columns) == (inside.sum(), 3, ("x_um",))


def test_the_first_rows_are_read_without_the_rest(gateway):
    write(gateway, 40_000)
    table = open_points(gateway.store, "m1/cells.points.parquet")
    whole = table.read()
    head = table.head(20_000, ("x_um", "z_um"))
    assert np.array_equal(head["x_um"], whole["x_um"][:20_000])
    assert list(head) == ["x_um", "z_um"]
    assert len(table.head(99_999, ("z_um",))["z_um"]) == 40_000


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d,e,f", "0,0,0,1,1,nan", "0,0,0,1,0,1"])
def test_a_box_that_is_none_is_refused(text):
    with pytest.raises(BoxError, match="box"):
        parse_box_um(text)


def test_what_cannot_be_asked_of_a_table_is_told(gateway):
    write(gateway, 5)
    with pytest.raises(NotFoundError, match="no column 'size' in"):
        read_rows(gateway, REF, columns=["size"])
    with pytest.raises(CallError, match="0 rows cannot be had"):
        read_rows(gateway, REF, limit=0)
