"""What comes in as it is, what is converted without loss, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.errors import FormatError

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("stored", "kind", "dtype"),
    [
        ("uint8", None, "uint8"),
        ("uint16", None, "uint16"),
        ("int16", None, "int16"),
        ("float32", None, "float32"),
        ("bool", None, "uint8"),
        ("int8", None, "int16"),
        ("float16", None, "float32"),
        ("uint32", None, "uint32"),
        ("uint64", None, "uint64"),
        ("uint8", "labels", "uint32"),
        ("uint16", "labels", "uint32"),
        ("int32", "labels", "uint32"),
        ("int64", "labels", "uint64"),
    ],
)
def test_exact_counterparts_need_no_word(
    read_all: Make, tmp_path: Path, stored: str, kind: Any, dtype: str
) -> None:
    values = np.arange(60).reshape(3, 4, 5).astype(stored)
    np.save(tmp_path / "a.npy", values)
    info, read = read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1), kind=kind)
    assert info.dtype == dtype
    assert info.kind == ("labels" if dtype in ("uint32", "uint64") else "image")
    np.testing.assert_array_equal(read[0, 0], values)


@pytest.mark.parametrize("stored", ["float64", "int32", "int64"])
def test_doubtful_images_ask_for_a_dtype(read_all: Make, tmp_path: Path, stored: str) -> None:
    np.save(tmp_path / "a.npy", np.arange(60).reshape(3, 4, 5).astype(stored))
    with pytest.raises(FormatError, match=f"holds {stored} values, .* --dtype"):
        read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1))
    info, read = read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1), as_dtype="uint16")
    assert info.dtype == "uint16"
    assert read.max() == 59


@pytest.mark.parametrize(
    ("values", "as_dtype", "words"),
    [
        (np.array([1.0, np.nan]), "uint16", r"nan at voxel \(0, 0, 1\).*integers belong"),
        (np.array([1.0, np.inf]), "uint8", "inf at voxel"),
        (np.array([1.0, 2.5]), "uint16", "fractions where uint16 integers belong"),
        (np.array([1, 70_000], "i4"), "uint16", "values 1 to 70000 do not fit uint16"),
        (np.array([-1, 7], "i4"), "uint8", "values -1 to 7 do not fit uint8"),
        (np.array([0, 2**24 + 1], "i4"), "float32", "too large for float32 to hold exactly"),
        (np.array([0, 1e300]), "float32", "beyond the range of float32"),
    ],
)
def test_a_value_that_would_change_is_an_error(
    read_all: Make, tmp_path: Path, values: Any, as_dtype: str, words: str
) -> None:
    np.save(tmp_path / "a.npy", values.reshape(1, 1, -1))
    with pytest.raises(FormatError, match=words):
        read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1), as_dtype=as_dtype)


def test_negative_labels_are_refused(read_all: Make, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[-1, 2]]], "i4"))
    with pytest.raises(FormatError, match="values -1 to 2 do not fit uint32"):
        read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1), kind="labels")


def test_what_is_no_number_is_refused(read_all: Make, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2), "c8"))
    with pytest.raises(FormatError, match="holds complex64 values; expected integers or floats"):
        read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1))


def test_a_dtype_of_the_wrong_kind_is_refused(read_all: Make, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2), "u1"))
    with pytest.raises(FormatError, match="--dtype uint32 is no dtype of image"):
        read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1), as_dtype="uint32")


def test_channel_names_must_fit(read_all: Make, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4, 5), "u1"))
    info, _ = read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1), channel_names=("a", "b"))
    assert [c.name for c in info.channels] == ["a", "b"]
    for names in (("a",), ("a", "a")):
        with pytest.raises(FormatError, match=r"channel name\(s\) given .* has 2 channel"):
            read_all(tmp_path / "a.npy", voxel_um=(1, 1, 1), channel_names=names)
