"""Sample metadata from sheets: fields and rows that are wrong are named."""

from pathlib import Path

import pytest

from gateway.errors import FormatError, NotFoundError
from gateway.service.sheet import read_sheet


def write(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_yaml_of_one_or_many_datasets(tmp_path: Path) -> None:
    one = write(tmp_path, "a.yaml", "title: A\npeople: [Ada, Ben]\n")
    assert read_sheet(one, "m1").people == ("Ada", "Ben")
    many = write(tmp_path, "b.yml", "m1: {title: A}\nm2: {title: B, licence: CC0-1.0}\n")
    assert read_sheet(many, "m2").title == "B"
    with pytest.raises(NotFoundError, match="has no 'm3'; it has m1, m2"):
        read_sheet(many, "m3")


def test_csv_of_one_or_many_datasets(tmp_path: Path) -> None:
    one = write(tmp_path, "a.csv", "title,tags\nA,x; y\n")
    assert read_sheet(one, "m1").tags == ("x", "y")
    many = write(tmp_path, "b.csv", "dataset,title\nm1,A\nm2,B\n")
    assert read_sheet(many, "m2").title == "B"
    with pytest.raises(NotFoundError, match="has 0 rows for 'm3'"):
        read_sheet(many, "m3")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "title: [", r"a\.yaml is not YAML"),
        ("a.yaml", "- 1", "holds list; expected fields by name"),
        ("a.yaml", "stian: x", "unknown field 'stian'; known are title, sample, species, stain"),
        ("a.yaml", "title: 3", "title = 3: .*valid string"),
        ("a.csv", "title\n", "no row below its header"),
        ("a.csv", "title\nA\nB\n", "has 2 rows; add a column 'dataset'"),
        ("a.csv", "dataset,title,hue\nm0,,\nm1,A,red\n", "row 3 has unknown field 'hue'"),
        ("a.csv", "title\nA,B\n", "row 2 has more cells"),
        ("a.txt", "x", "expected .yaml or .csv"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_sheet(write(tmp_path, name, text), "m1")


def test_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no sheet"):
        read_sheet(tmp_path / "none.yaml", "m1")
