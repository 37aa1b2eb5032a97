"""A file that names another one has only those of its own folder read."""

from pathlib import Path

import h5py
import nrrd
import numpy as np
import pytest
import tifffile

from gateway.errors import FormatError
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.registry import open_source

_SIZE = OpenOptions(voxel_um=(1.0, 1.0, 1.0))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "private" / "secret.raw"
    path.parent.mkdir()
    path.write_bytes(bytes(range(24)))
    (tmp_path / "inbox").mkdir()
    return path


def header(path: Path, named: str) -> Path:
    lines = ["NRRD0004", "type: uint8", "dimension: 3", "sizes: 4 3 2", "encoding: raw"]
    path.write_text("\n".join([*lines, f"data file: {named}", "", ""]))
    return path


@pytest.mark.parametrize("how", ["absolute", "up", "link"])
def test_an_nrrd_header_opens_no_file_elsewhere(tmp_path: Path, secret: Path, how: str) -> None:
    inbox = tmp_path / "inbox"
    named = {"absolute": str(secret), "up": "../private/secret.raw", "link": "link.raw"}[how]
    (inbox / "link.raw").symlink_to(secret)
    with pytest.raises(FormatError, match="not in its own folder"):
        open_source(header(inbox / "a.nhdr", named), _SIZE)


def test_an_nrrd_header_opens_the_data_beside_it(tmp_path: Path) -> None:
    nrrd.write(
        str(tmp_path / "a.nhdr"), np.zeros((4, 3, 2), np.uint8), {"encoding": "raw"},
        detached_header=True,
    )  # fmt: skip
    assert open_source(tmp_path / "a.nhdr", _SIZE).info.shape == (2, 3, 4)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "b.npy").symlink_to(tmp_path / "c.npy")
    np.save(tmp_path / "c.npy", np.zeros((2, 3, 4), np.uint8))
    assert open_source(tmp_path / "there" / "b.npy", _SIZE).info.shape == (2, 3, 4)


def test_hdf5_reads_no_storage_elsewhere(tmp_path: Path, secret: Path) -> None:
    path = tmp_path / "inbox" / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (2, 3, 4), "u1", external=[(str(secret), 0, 24)])
    with pytest.raises(FormatError, match="not in its own folder"):
        open_source(path, _SIZE)


def test_hdf5_shows_no_virtual_voxels_of_elsewhere(tmp_path: Path, secret: Path) -> None:
    source = secret.with_suffix(".h5")
    with h5py.File(source, "w") as file:
        file["v"] = np.ones((2, 3, 4), np.uint8)
    for folder, refused in ((tmp_path / "inbox", True), (source.parent, False)):
        layout = h5py.VirtualLayout((2, 3, 4), "u1")
        layout[...] = h5py.VirtualSource(str(source), "v", (2, 3, 4))
        with h5py.File(folder / "virtual.h5", "w") as file:
            file.create_virtual_dataset("v", layout)
        if refused:
            with pytest.raises(FormatError, match="not in its own folder"):
                open_source(folder / "virtual.h5", _SIZE)
        else:
            assert open_source(folder / "virtual.h5", _SIZE).info.shape == (2, 3, 4)


def test_an_ome_tiff_shows_no_planes_of_elsewhere(tmp_path: Path, secret: Path) -> None:
    other = secret.with_name("other.ome.tif")
    plane = np.ones((1, 8, 8), np.uint8)
    tifffile.imwrite(other, plane, metadata={"axes": "ZYX"})
    described = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        'OME/2016-06" UUID="urn:uuid:aaaaaaaa-0000-0000-0000-000000000001"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="8" SizeZ="2" '
        'SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="a.ome.tif">'
        "urn:uuid:aaaaaaaa-0000-0000-0000-000000000001</UUID></TiffData>"
        f'<TiffData FirstZ="1" IFD="0" PlaneCount="1"><UUID FileName="{other}">'
        "urn:uuid:aaaaaaaa-0000-0000-0000-000000000002</UUID></TiffData></Pixels></Image></OME>"
    )
    path = tmp_path / "inbox" / "a.ome.tif"
    tifffile.imwrite(path, plane, description=described, metadata=None)
    with pytest.raises(FormatError, match="not in its own folder"):
        open_source(path, _SIZE)
