"""TIFF in all its forms, and every way in which it can be broken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from gateway.errors import BoxError, FormatError, NotFoundError, StoreError
from gateway.volumes.box import Box
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.registry import open_source

SHAPE = (7, 33, 41)
Make = Callable[..., Any]
UM = (5.0, 2.0, 2.0)
Voxels = NDArray[np.uint16]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True, "rowsperstrip": 8},
        {"compression": "lzw", "tile": (16, 16)},
        {"compression": "zstd", "rowsperstrip": 1},
        {"tile": (16, 32)},
        {"rowsperstrip": 5},
        {"compression": "packbits"},
    ],
    ids=str,
)
def test_every_layout_of_pages_gives_the_same_voxels(
    read_all: Make, tmp_path: Path, voxels: Voxels, how: dict
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", voxels, **how)
    source = open_source(tmp_path / "a.tif", OpenOptions(voxel_um=UM))
    box = Box((1, 3, 5), (6, 30, 38))
    np.testing.assert_array_equal(source.read(box, channel=0), voxels[box.slices()])
    _, whole = read_all(tmp_path / "a.tif", voxel_um=UM)
    np.testing.assert_array_equal(whole[0, 0], voxels)
    assert whole.flags.c_contiguous
    assert whole.dtype.isnative


def test_an_imagej_hyperstack_tells_scale_channels_and_time(
    read_all: Make, tmp_path: Path, voxels: Voxels
) -> None:
    stack = np.stack([voxels + i for i in range(6)]).reshape(3, 2, *SHAPE).swapaxes(1, 2)
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack,
        imagej=True,
        resolution=(2, 4),
        metadata={"axes": "TZCYX", "spacing": 3, "unit": "micron", "finterval": 1.5},
    )
    info, read = read_all(tmp_path / "a.tif")
    assert info.voxel_um == (3.0, 0.25, 0.5)
    assert (info.times, info.time_step_s, len(info.channels)) == (3, 1.5, 2)
    np.testing.assert_array_equal(read, stack.swapaxes(1, 2))


def test_an_ome_tiff_tells_scale_channels_and_stage(tmp_path: Path, voxels: Voxels) -> None:
    stack = np.stack([voxels, voxels + 1])
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        stack,
        metadata={
            "axes": "CZYX",
            "PhysicalSizeX": 0.5,
            "PhysicalSizeY": 0.6,
            "PhysicalSizeZ": 2000,
            "PhysicalSizeZUnit": "nm",
            "Channel": {"Name": ["nuclei", "axons"]},
            "Plane": {"PositionX": [7.0] * 14, "PositionY": [8.0] * 14},
        },
    )
    source = open_source(tmp_path / "a.ome.tif")
    assert source.format == "OME-TIFF"
    assert source.info.voxel_um == (2.0, 0.6, 0.5)
    assert [c.name for c in source.info.channels] == ["nuclei", "axons"]
    assert source.details["stage_um"] == (0.0, 8.0, 7.0)
    np.testing.assert_array_equal(source.read(Box.of_shape(SHAPE)), stack)


def test_the_series_of_a_file_must_be_chosen(
    read_all: Make, tmp_path: Path, voxels: Voxels
) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as out:
        out.write(voxels, metadata={"axes": "ZYX", "Name": "left"})
        out.write(voxels[:3] + 1, metadata={"axes": "ZYX", "Name": "right"})
    with pytest.raises(FormatError, match=r"holds 2 images; choose one with --series \(0: left"):
        open_source(tmp_path / "a.ome.tif", OpenOptions(voxel_um=UM))
    _, read = read_all(tmp_path / "a.ome.tif", voxel_um=UM, series=1)
    np.testing.assert_array_equal(read[0, 0], voxels[:3] + 1)
    with pytest.raises(FormatError, match="no series 2; there are 2"):
        read_all(tmp_path / "a.ome.tif", voxel_um=UM, series=2)


def test_colours_become_channels(read_all: Make, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (4, 20, 30, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", compression="zlib")
    _, read = read_all(tmp_path / "a.tif", voxel_um=UM)
    np.testing.assert_array_equal(read[0], np.moveaxis(rgb, -1, 0))


def test_a_file_without_scale_asks_for_it(tmp_path: Path, voxels: Voxels) -> None:
    tifffile.imwrite(tmp_path / "a.tif", voxels)
    with pytest.raises(FormatError, match=r"does not say how large .* --voxel-um Z,Y,X"):
        open_source(tmp_path / "a.tif")
    tifffile.imwrite(
        tmp_path / "b.tif", voxels, imagej=True, resolution=(2, 2), metadata={"unit": "um"}
    )
    with pytest.raises(FormatError, match=r"only says y=0.5 µm, x=0.5 µm"):
        open_source(tmp_path / "b.tif")


@pytest.mark.parametrize("um", [(0, 1, 1), (1, -2, 1), (float("nan"), 1, 1)])
def test_an_impossible_voxel_size_is_refused(tmp_path: Path, voxels: Voxels, um: tuple) -> None:
    tifffile.imwrite(tmp_path / "a.tif", voxels)
    with pytest.raises(FormatError, match="not possible; expected three positive numbers"):
        open_source(tmp_path / "a.tif", OpenOptions(voxel_um=um))


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"imagej": True}], ids=str)
@pytest.mark.parametrize("share", [0.97, 0.6, 0.3, 0.02])
def test_a_truncated_file_is_refused_before_a_voxel_is_read(
    tmp_path: Path, voxels: Voxels, how: dict, share: float
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, voxels, **how)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FormatError, match=r"a\.tif.*(truncated|ends at byte|no readable)"):
        open_source(path, OpenOptions(voxel_um=UM))


def test_a_truncated_page_by_page_file_names_page_and_byte(tmp_path: Path, voxels: Voxels) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        for plane in voxels:
            out.write(plane, contiguous=False, compression="zlib", metadata=None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 5 // 7])
    with pytest.raises(FormatError, match=r"page \d should start at byte \d+.*truncated"):
        open_source(path, OpenOptions(voxel_um=UM))


def test_a_damaged_segment_is_never_a_black_plane(tmp_path: Path, voxels: Voxels) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, voxels, compression="zlib", rowsperstrip=8)
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[4].dataoffsets[2]
    content = bytearray(path.read_bytes())
    content[offset : offset + 40] = bytes(40)
    path.write_bytes(content)
    source = open_source(path, OpenOptions(voxel_um=UM))
    source.read(Box((0, 0, 0), (4, 33, 41)))
    with pytest.raises(FormatError, match=rf"page 4, segment 2 at byte {offset} .* is corrupt"):
        source.read(Box((4, 0, 0), (5, 33, 41)))
    source.read(Box((4, 0, 0), (5, 16, 41)))  # the strips before it are whole


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000", "png", "lzw", "packbits", "lzma", "lerc"])
def test_a_segment_cut_short_is_refused_by_every_codec(tmp_path: Path, codec: str) -> None:
    voxels = np.random.default_rng(0).integers(0, 255, (5, 64, 64)).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, voxels, compression=codec, tile=(32, 32))
    whole = open_source(path, OpenOptions(voxel_um=UM)).read(Box.of_shape((5, 64, 64)))
    np.testing.assert_array_equal(whole[0], tifffile.imread(path))
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages[2].dataoffsets[1], tiff.pages[2].databytecounts[1]
    content = bytearray(path.read_bytes())
    content[offset + count // 2 : offset + count] = bytes(count - count // 2)
    path.write_bytes(content)
    source = open_source(path, OpenOptions(voxel_um=UM))
    with pytest.raises(FormatError, match=rf"page 2, segment 1 at byte {offset}.*corrupt"):
        source.read(Box.of_shape((5, 64, 64)))


def test_a_segment_never_written_is_refused(tmp_path: Path, voxels: Voxels) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(
            iter([voxels[0, :16, :16], *[None] * 8]),
            shape=(48, 48),
            dtype=np.uint16,
            tile=(16, 16),
            compression="zlib",
        )
    with pytest.raises(FormatError, match=r"page 0: segment 1 of 9 was never written"):
        open_source(path, OpenOptions(voxel_um=UM))


def test_pages_missing_from_an_ome_tiff_are_named(tmp_path: Path, voxels: Voxels) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, voxels, metadata={"axes": "ZYX"}, compression="zlib")
    xml = tifffile.tiffcomment(path).replace('SizeZ="7"', 'SizeZ="9"')
    xml = xml.replace('PlaneCount="7"', 'PlaneCount="9"')
    tifffile.tiffcomment(path, xml.encode())
    with pytest.raises(FormatError, match=r"2 plane\(s\) are missing|do not match"):
        open_source(path, OpenOptions(voxel_um=UM))


def test_an_empty_file_and_no_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    with pytest.raises(FormatError, match=r"a\.tif is empty"):
        open_source(tmp_path / "a.tif")
    with pytest.raises(NotFoundError, match=r"no file or folder .*b\.tif"):
        open_source(tmp_path / "b.tif")
    (tmp_path / "c.tif").write_bytes(b"hello world")
    with pytest.raises(FormatError, match="no known format; known are TIFF"):
        open_source(tmp_path / "c.tif")


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreError, match=r"cannot read .*a\.tif: Permission denied"):
        open_source(path)


def test_reading_outside_is_refused(tmp_path: Path, voxels: Voxels) -> None:
    tifffile.imwrite(tmp_path / "a.tif", voxels)
    source = open_source(tmp_path / "a.tif", OpenOptions(voxel_um=UM))
    with pytest.raises(BoxError, match="outside"):
        source.read(Box((0, 0, 0), (8, 1, 1)))
    with pytest.raises(BoxError, match="no channel 1"):
        source.read(Box((0, 0, 0), (1, 1, 1)), channel=1)
    with pytest.raises(BoxError, match="no level 1"):
        source.read(Box((0, 0, 0), (1, 1, 1)), level=1)


@pytest.mark.data
def test_real_stacks_open(data_dir: Path) -> None:
    for path in sorted(data_dir.glob("*/*.tif")):
        source = open_source(path, OpenOptions(voxel_um=UM, kind=None, as_dtype=_dtype(path)))
        z, y, x = source.info.shape
        got = source.read(Box((z // 2, 0, 0), (z // 2 + 1, y, x)), channel=0)
        expected = tifffile.imread(path, key=z // 2)
        np.testing.assert_array_equal(got[0], expected)


def _dtype(path: Path) -> str | None:
    with tifffile.TiffFile(path) as tiff:
        stored = tiff.series[0].dtype.name
    return {"int32": "uint16", "float64": "float32", "int8": "int16"}.get(stored)
