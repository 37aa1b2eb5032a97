"""Folders of planes and of channels: in order, complete, alike, or refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.volumes.box import Box
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.registry import open_source

UM = (5.0, 2.0, 2.0)
Make = Callable[..., Any]
Voxels = NDArray[np.uint16]


def write_planes(folder: Path, voxels: Voxels, name: str = "img_{}.tif", first: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, plane in enumerate(voxels, start=first):
        tifffile.imwrite(folder / name.format(i), plane, compression="zlib")


def test_planes_are_taken_in_natural_order(read_all: Make, tmp_path: Path, voxels: Voxels) -> None:
    twice = np.concatenate([voxels, voxels[::-1] + 1])
    write_planes(tmp_path, twice)
    (tmp_path / ".hidden.tif").touch()
    (tmp_path / "notes.txt").touch()
    info, read = read_all(tmp_path, voxel_um=UM)
    assert info.shape == twice.shape
    np.testing.assert_array_equal(read[0, 0], twice)


def test_png_planes_and_colours(read_all: Make, tmp_path: Path, voxels: Voxels) -> None:
    rgb = np.stack([voxels % 251, voxels % 13, voxels % 7], -1).astype("u1")
    for i, plane in enumerate(rgb):
        (tmp_path / f"{i:03d}.png").write_bytes(imagecodecs.png_encode(plane))
    _, read = read_all(tmp_path, voxel_um=UM)
    np.testing.assert_array_equal(read[0], np.moveaxis(rgb, -1, 0))


def test_missing_planes_are_named(tmp_path: Path, voxels: Voxels) -> None:
    write_planes(tmp_path, voxels)
    (tmp_path / "img_3.tif").unlink()
    (tmp_path / "img_6.tif").unlink()
    with pytest.raises(FormatError, match=r"2 plane\(s\) missing between .*: number 3, 6"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))


def test_every_second_number_is_a_step_not_a_gap(
    read_all: Make, tmp_path: Path, voxels: Voxels
) -> None:
    for i, plane in enumerate(voxels):
        tifffile.imwrite(tmp_path / f"z{i * 5:04d}.tif", plane)
    assert read_all(tmp_path, voxel_um=UM)[0].shape == voxels.shape


def test_double_planes_are_named(tmp_path: Path, voxels: Voxels) -> None:
    write_planes(tmp_path, voxels)
    tifffile.imwrite(tmp_path / "img_03.tif", voxels[0])
    with pytest.raises(FormatError, match=r"same number: img_0?3\.tif, img_0?3\.tif; keep one"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))


def test_odd_planes_are_named(tmp_path: Path, voxels: Voxels) -> None:
    write_planes(tmp_path, voxels)
    tifffile.imwrite(tmp_path / "img_2.tif", voxels[1, :-1])
    tifffile.imwrite(tmp_path / "img_5.tif", voxels[4].astype("u1"))
    words = r"2 plane\(s\) differ .*33 by 41 uint16.*img_2\.tif \(32 by 41.*img_5\.tif .*uint8"
    with pytest.raises(FormatError, match=words):
        open_source(tmp_path, OpenOptions(voxel_um=UM))


def test_a_foreign_name_among_planes_is_named(tmp_path: Path, voxels: Voxels) -> None:
    write_planes(tmp_path, voxels)
    tifffile.imwrite(tmp_path / "overview.tif", voxels[0])
    with pytest.raises(FormatError, match=r"overview\.tif do not follow the naming of the other 7"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))


def test_a_truncated_plane_is_named(tmp_path: Path, voxels: Voxels) -> None:
    write_planes(tmp_path, voxels)
    path = tmp_path / "img_4.tif"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FormatError, match=r"img_4\.tif"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))


def test_a_plane_that_changes_after_planning_is_named(tmp_path: Path, voxels: Voxels) -> None:
    write_planes(tmp_path, voxels)
    source = open_source(tmp_path, OpenOptions(voxel_um=UM, checked=True))
    tifffile.imwrite(tmp_path / "img_4.tif", voxels[0, :5])
    with pytest.raises(FormatError, match=r"img_4\.tif is 5 by 41 uint16, img_1\.tif is 33 by 41"):
        source.read(Box.of_shape(source.info.shape))


def test_planes_whose_numbers_count_two_things_are_asked_about(
    tmp_path: Path, voxels: Voxels
) -> None:
    write_planes(tmp_path, voxels, "a1_{}.tif")
    write_planes(tmp_path, voxels, "a2_{}.tif")
    with pytest.raises(FormatError, match=r"2 numbers vary .* give --pattern"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))
    source = open_source(tmp_path, OpenOptions(voxel_um=UM, pattern=r"(a\d)_"))
    assert [c.name for c in source.info.channels] == ["a1", "a2"]


@pytest.mark.parametrize(
    "token", ["x_C0{c}_Z{{:03d}}.tif", "ch{c}/{{}}.tif", "s_channel_{c}_{{}}.tif"]
)
def test_channels_are_found_by_name(
    read_all: Make, tmp_path: Path, voxels: Voxels, token: str
) -> None:
    for c in range(2):
        name = tmp_path / token.format(c=c)
        write_planes(name.parent, voxels + c, name.name)
    info, read = read_all(tmp_path, voxel_um=UM)
    assert len(info.channels) == 2
    np.testing.assert_array_equal(read[0], np.stack([voxels, voxels + 1]))


def test_channels_as_stacks(read_all: Make, tmp_path: Path, voxels: Voxels) -> None:
    tifffile.imwrite(tmp_path / "ch0_signal.tif", voxels)
    tifffile.imwrite(tmp_path / "ch1_background.tif", voxels + 1)
    info, read = read_all(tmp_path, voxel_um=UM, channel_names=("signal", "background"))
    assert [c.name for c in info.channels] == ["signal", "background"]
    np.testing.assert_array_equal(read[0, 1], voxels + 1)


def test_unlike_channels_are_refused(tmp_path: Path, voxels: Voxels) -> None:
    tifffile.imwrite(tmp_path / "ch0.tif", voxels)
    tifffile.imwrite(tmp_path / "ch1.tif", voxels[:-1])
    with pytest.raises(FormatError, match=r"channel ch1 has shape \(6, .* channel ch0 has \(7"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))


@pytest.mark.parametrize(
    ("pattern", "words"), [("ch(", "no regular expression"), ("ch\\d", "has no group")]
)
def test_a_bad_pattern_is_refused(tmp_path: Path, voxels: Voxels, pattern: str, words: str) -> None:
    write_planes(tmp_path, voxels)
    with pytest.raises(FormatError, match=words):
        open_source(tmp_path, OpenOptions(voxel_um=UM, pattern=pattern))


def test_folders_that_are_no_image_say_so(tmp_path: Path, voxels: Voxels) -> None:
    with pytest.raises(FormatError, match="holds no images"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))
    tifffile.imwrite(tmp_path / "left.tif", voxels)
    tifffile.imwrite(tmp_path / "right.tif", voxels)
    with pytest.raises(FormatError, match=r"holds 2 stacks .*--positions.*--pattern"):
        open_source(tmp_path, OpenOptions(voxel_um=UM))
