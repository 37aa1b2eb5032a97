"""Every format that is written is read back without loss of voxels, dtype, scale or place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest
import tifffile

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import BoxError, ExistsError, FormatError, NotFoundError, StoreError
from gateway.volumes.box import Box
from gateway.volumes.formats.export import export_volume, whole_or_nothing
from gateway.volumes.model import IMAGE_DTYPES, LABEL_DTYPES

SHAPE = (7, 33, 41)
Make = Callable[..., Any]
DTYPES = (*IMAGE_DTYPES, *LABEL_DTYPES)
SUFFIXES = (".tif", ".nii", ".nii.gz", ".nrrd", ".npy", ".ome.zarr")


def write(source: Any, path: Path, box: Box | None = None) -> None:
    reduce = reduce_mode if source.info.kind == "labels" else reduce_mean
    export_volume(source, path, box=box, reduce=reduce)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_is_read_back_exactly(
    read_all: Make, make_source: Make, tmp_path: Path, dtype: str, suffix: str
) -> None:
    source = make_source(dtype)
    write(source, tmp_path / f"a{suffix}")
    given = {"voxel_um": (1, 1, 1)} if suffix == ".npy" else {}
    info, voxels = read_all(tmp_path / f"a{suffix}", **given)
    assert info.dtype == dtype
    assert info.kind == source.info.kind
    np.testing.assert_array_equal(voxels, source.voxels)
    if suffix != ".npy":
        assert info.voxel_um == pytest.approx(source.info.voxel_um, rel=1e-6)
        assert info.origin_um == pytest.approx(source.info.origin_um, rel=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_channels_come_back_in_order(
    read_all: Make, make_source: Make, tmp_path: Path, suffix: str
) -> None:
    source = make_source("uint16", channels=3)
    write(source, tmp_path / f"a{suffix}")
    info, voxels = read_all(tmp_path / f"a{suffix}", voxel_um=(1, 1, 1))
    np.testing.assert_array_equal(voxels, source.voxels)
    if suffix in (".tif", ".ome.zarr"):
        assert [c.name for c in info.channels] == ["stain0", "stain1", "stain2"]
        assert [c.colour for c in info.channels] == ["FF0000", "00FF00", "0000FF"]


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".ome.zarr", ".nii.gz"])
def test_times_come_back_in_order(
    read_all: Make, make_source: Make, tmp_path: Path, suffix: str
) -> None:
    channels = 1 if suffix == ".nii.gz" else 2
    source = make_source("int16", times=3, channels=channels)
    write(source, tmp_path / f"a{suffix}")
    info, voxels = read_all(tmp_path / f"a{suffix}", voxel_um=(1, 1, 1))
    assert info.times == 3
    np.testing.assert_array_equal(voxels, source.voxels)
    if suffix != ".npy":
        assert info.time_step_s == 2.5


@pytest.mark.parametrize("suffix", [".tif", ".nii.gz", ".nrrd", ".ome.zarr"])
def test_a_cut_out_box_keeps_its_place(
    read_all: Make, make_source: Make, tmp_path: Path, suffix: str
) -> None:
    source = make_source("uint16")
    box = Box((2, 3, 5), (6, 20, 40))
    write(source, tmp_path / f"cut{suffix}", box)
    info, voxels = read_all(tmp_path / f"cut{suffix}")
    np.testing.assert_array_equal(voxels[0, 0], source.voxels[(0, 0, *box.slices())])
    expected = [o + a * v for o, a, v in zip((10.6, -3.25, 7.0), box.start, (5.3, 0.325, 0.1),
                                             strict=True)]  # fmt: skip
    assert info.origin_um == pytest.approx(expected, rel=1e-6)


def test_other_programs_read_the_same(make_source: Make, tmp_path: Path) -> None:
    source = make_source("uint16")
    plain = source.voxels[0, 0]
    for suffix in (".tif", ".nii.gz", ".nrrd"):
        write(source, tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), plain)
    image = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, plain)
    assert image.header.get_zooms() == pytest.approx((1e-4, 3.25e-4, 5.3e-3))
    assert image.affine[:3, 3] == pytest.approx((7e-3, -3.25e-3, 10.6e-3))
    read, header = nrrd.read(str(tmp_path / "a.nrrd"), index_order="C")
    np.testing.assert_array_equal(read, plain)
    assert np.diag(header["space directions"]) == pytest.approx((0.1, 0.325, 5.3))
    assert header["space origin"] == pytest.approx((7.0, -3.25, 10.6))


def test_an_existing_file_is_kept_unless_told_otherwise(make_source: Make, tmp_path: Path) -> None:
    source = make_source("uint8")
    path = tmp_path / "a.npy"
    path.write_bytes(b"mine")
    with pytest.raises(ExistsError, match=r"a\.npy already exists; .* --overwrite"):
        export_volume(source, path)
    assert path.read_bytes() == b"mine"
    export_volume(source, path, overwrite=True)
    np.testing.assert_array_equal(np.load(path), source.voxels[0, 0])


def test_a_failed_export_leaves_nothing(make_source: Make, tmp_path: Path) -> None:
    source = make_source("uint8")

    def fail(done: int, total: int) -> None:
        raise StoreError(f"the share vanished at {done} of {total}")

    for suffix in SUFFIXES:
        with pytest.raises(StoreError, match="vanished"):
            export_volume(source, tmp_path / f"a{suffix}", reduce=reduce_mean, progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_with_numbers(tmp_path: Path) -> None:
    needs = r"needs at least 1,000,000,000,000,000 bytes and .* has [\d,]+ free"
    with (
        pytest.raises(StoreError, match=needs),
        whole_or_nothing(tmp_path / "a.npy", 10**15, overwrite=False),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "level", "box", "error", "words"),
    [
        ("a.xyz", 0, None, FormatError, r"no format writes 'a.xyz'; use one of .tif"),
        ("a.npy", 3, None, BoxError, "there is no level 3"),
        ("a.npy", 0, Box((0, 0, 0), (99, 1, 1)), BoxError, "reaches outside level 0"),
        ("none/a.npy", 0, None, NotFoundError, "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_refused(  # noqa: PLR0917 - parameters of one test
    make_source: Make,
    tmp_path: Path,
    name: str,
    level: int,
    box: Box | None,
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        export_volume(make_source("uint8"), tmp_path / name, level=level, box=box)


def test_memory_stays_at_a_slab(make_source: Make, tmp_path: Path) -> None:
    source = make_source("uint16")
    asked: list[int] = []
    read = source.read

    def count(box: Box, **how: int) -> np.ndarray:
        asked.append(box.shape[0])
        return read(box, **how)

    source.read = count
    excerpt = export_volume(source, tmp_path / "a.npy")
    assert asked == [SHAPE[0]]
    asked.clear()
    small = excerpt.__class__(
        source=source, info=source.info, level=0, box=Box.of_shape(SHAPE), slab_bytes=6000
    )
    list(small.slabs())
    assert asked == [2, 2, 2, 1]
