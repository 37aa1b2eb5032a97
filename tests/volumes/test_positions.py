"""Nominal places of tiles: from tables and names, and what is wrong with them."""

from pathlib import Path

import pytest

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.positions import (
    match_files,
    places_from_names,
    read_positions,
    tell_row_column,
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "positions.csv"
    path.write_text(text)
    return path


def test_voxels_micrometres_and_other_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "file,nominal_z,nominal_y,nominal_x,true_z,who\na.tif,1,2,3.5,-2,me\n")
    (place,) = read_positions(path)
    assert place.voxels((5, 2, 2)) == (1, 2, 3.5)
    assert place.extra == {"true_z": -2.0, "who": "me"}
    path = write(tmp_path, "\ufefffile, nominal_y_um, nominal_x_um\na.tif, 20, 30\n")
    (place,) = read_positions(path)
    assert place.voxels((5, 2, 2)) == (0, 10, 15)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,z,y,x\na,1,2,3\n", r"has columns file, z, y, x; expected file,nominal_z"),
        ("", r"has columns \(none\)"),
        ("file,nominal_y,nominal_x\n", "a header but no rows"),
        ("file,nominal_y,nominal_x\na,1,two\n", r"row 2 \(a\): nominal_x is 'two', not a number"),
        ("file,nominal_y,nominal_x\na,1,nan\n", r"nominal_x is 'nan'"),
        ("file,nominal_y,nominal_x\n../a,1,2\n", r"row 2: file is '../a'; expected a bare"),
        ("file,nominal_y,nominal_x\na,1,2,3\n", "row 2 has more cells"),
        ("file,nominal_y,nominal_x\na,1,2\na,1,3\n", "names a more than once"),
        ("file,nominal_y,nominal_x\na,1,2\nb,1,2\n", r"puts a and b at the same place"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_positions(write(tmp_path, text))


def test_no_table_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no positions file"):
        read_positions(tmp_path / "none.csv")


def test_missing_and_extra_files_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, "file,nominal_y,nominal_x\na,1,2\nb,1,3\n")
    places = read_positions(path)
    files = [tmp_path / "b", tmp_path / "c"]
    words = "a named but not in the folder; c in the folder but not named"
    with pytest.raises(FormatError, match=words):
        match_files(places, files, path)
    assert [f.name for f in match_files(places, [tmp_path / "b", tmp_path / "a"], path)] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("tile_r01_c02", (1, 2)),
        ("Row3Col4", (3, 4)),
        ("scan_row-2_col-0_z", (2, 0)),
        ("b_Y05_X11", (5, 11)),
        ("b_x11_y05", (5, 11)),
        ("brain [02 x 07]", (2, 7)),
        ("tile_0001", None),
        ("color_3c4", None),
    ],
)
def test_rows_and_columns_are_read_from_names(name: str, cell: tuple[int, int] | None) -> None:
    assert tell_row_column(name) == cell


def test_raster_and_snake(tmp_path: Path) -> None:
    files = [tmp_path / f"t_r{r}_c{c}.tif" for r in (1, 2) for c in (1, 2, 3)]
    raster = places_from_names(files, (5, 100, 200), 0.1)
    assert [p.nominal_voxels for p in raster][:2] == [(0, 0, 0), (0, 0, 180)]
    assert raster[3].nominal_voxels == (0, 90, 0)
    snake = places_from_names(files, (5, 100, 200), 0.1, order="snake")
    assert snake[3].nominal_voxels == (0, 90, 360)
    counted = [tmp_path / f"t{i}.tif" for i in range(6)]
    by_order = places_from_names(counted, (5, 100, 200), 0.1, order="snake", grid=(2, 3))
    assert [p.nominal_voxels for p in by_order] == [p.nominal_voxels for p in snake]


@pytest.mark.parametrize(
    ("names", "overlap", "grid", "words"),
    [
        (["t_r0_c0", "x"], 0.1, None, "x.tif tell no row and column"),
        (["t_r0_c0", "u_r0_c0"], 0.1, None, "more than one tile at row 0 column 0"),
        (["t_r0_c0"], 1.0, None, "overlap 1.0 is out of bounds"),
        (["a", "b"], 0.1, (2, 2), "has 4 tiles, but there are 2 files"),
    ],
)
def test_names_that_tell_no_grid_are_refused(
    tmp_path: Path, names: list[str], overlap: float, grid: tuple[int, int] | None, words: str
) -> None:
    files = [tmp_path / f"{name}.tif" for name in names]
    with pytest.raises(FormatError, match=words):
        places_from_names(files, (1, 9, 9), overlap, grid=grid)
