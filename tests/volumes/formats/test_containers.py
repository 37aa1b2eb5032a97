"""HDF5, NIfTI, NRRD, NumPy, zarr, N5 and precomputed: what they say, what they must not hide."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel
import nrrd
import numpy as np
import pytest
import tensorstore as ts
import zarr
from numpy.typing import NDArray

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.box import Box
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.registry import open_source

SHAPE = (7, 33, 41)
UM = (5.0, 0.5, 0.25)
Make = Callable[..., Any]
Voxels = NDArray[np.uint16]
CUT = Box((1, 3, 5), (6, 30, 38))


def check(path: Path, voxels: Voxels, **said: Any) -> Any:
    source = open_source(path, OpenOptions(**said))
    np.testing.assert_array_equal(source.read(CUT, channel=0), voxels[CUT.slices()])
    return source


def test_the_only_volume_of_an_hdf5_file_is_found(tmp_path: Path, voxels: Voxels) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t0/raw", data=voxels, chunks=(2, 16, 16), compression="gzip")
        file["t0/raw"].attrs["element_size_um"] = UM
        file["table"] = np.zeros((4, 3))
    source = check(tmp_path / "a.h5", voxels)
    assert source.info.voxel_um == UM
    assert source.read_unit == (2, 16, 16)


def test_several_volumes_of_an_hdf5_file_are_listed(tmp_path: Path, voxels: Voxels) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"], file["mask"] = voxels, voxels.astype("u1")
    with pytest.raises(FormatError, match=r"holds 2 datasets .* --array .*mask \(7, 33, 41\)"):
        open_source(tmp_path / "a.h5", OpenOptions(voxel_um=UM))
    check(tmp_path / "a.h5", voxels, voxel_um=UM, dataset="/raw")
    with pytest.raises(NotFoundError, match="no dataset 'row'; there are: mask"):
        open_source(tmp_path / "a.h5", OpenOptions(voxel_um=UM, dataset="row"))


def test_a_truncated_hdf5_file_is_refused(tmp_path: Path, voxels: Voxels) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["raw"] = voxels
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(FormatError, match=r"a\.h5 is no readable HDF5 file.*truncated"):
        open_source(path, OpenOptions(voxel_um=UM))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_is_turned_from_xyz_to_zyx(tmp_path: Path, voxels: Voxels, name: str) -> None:
    affine = np.diag([0.25e-3, 0.5e-3, 5e-3, 1])
    affine[:3, 3] = (1, 2, 3)
    image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.to_filename(tmp_path / name)
    source = check(tmp_path / name, voxels)
    assert source.info.voxel_um == pytest.approx(UM)
    assert source.info.origin_um == (3000.0, 2000.0, 1000.0)


def test_nifti_with_mirrored_axes_keeps_its_order_and_says_so(
    tmp_path: Path, voxels: Voxels
) -> None:
    image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.diag([-1.0, 1, 1, 1]))
    image.header.set_xyzt_units("mm")
    image.to_filename(tmp_path / "a.nii")
    source = check(tmp_path / "a.nii", voxels)
    assert source.info.origin_um == (0, 0, 0)
    assert "mirrors" in source.details["orientation"]


def test_nifti_with_scaled_values_is_converted_on_request_only(
    tmp_path: Path, voxels: Voxels
) -> None:
    image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.eye(4))
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(0.5, 3)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(FormatError, match=r"holds float64 values.* --dtype"):
        open_source(tmp_path / "a.nii")
    source = open_source(tmp_path / "a.nii", OpenOptions(as_dtype="float32"))
    expected = np.asarray(nibabel.load(tmp_path / "a.nii").dataobj).T.astype("f4")
    np.testing.assert_allclose(source.read(CUT)[0], expected[CUT.slices()])


def test_a_gzip_stream_that_breaks_is_refused(tmp_path: Path, voxels: Voxels) -> None:
    path = tmp_path / "a.nii.gz"
    image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.eye(4))
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="gzip stream breaks near byte"):
        open_source(path)
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:-100]))
    with pytest.raises(FormatError, match=r"truncated: .*100 are missing"):
        open_source(path)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_nrrd_tells_spacing_and_origin(tmp_path: Path, voxels: Voxels, encoding: str) -> None:
    header = {
        "space directions": np.diag([0.25, 0.5, 5.0]),
        "space origin": [1.0, 2.0, 3.0],
        "space units": ["um"] * 3,
        "space dimension": 3,
        "kinds": ["domain"] * 3,
        "encoding": encoding,
    }
    nrrd.write(str(tmp_path / "a.nrrd"), voxels, header, index_order="C")
    source = check(tmp_path / "a.nrrd", voxels)
    assert source.info.voxel_um == UM
    assert source.info.origin_um == (3.0, 2.0, 1.0)


def test_nrrd_with_its_data_beside_it(tmp_path: Path, voxels: Voxels) -> None:
    header = {"spacings": [0.25, 0.5, 5.0], "units": ["um"] * 3, "encoding": "raw"}
    nrrd.write(str(tmp_path / "a.nhdr"), voxels, header, index_order="C", detached_header=True)
    source = check(tmp_path / "a.nhdr", voxels)
    assert source.info.voxel_um == UM
    assert len(source.files) == 2
    source.files[1].unlink()
    with pytest.raises(FormatError, match="which is not beside it"):
        open_source(tmp_path / "a.nhdr")


def test_numpy_in_both_orders(tmp_path: Path, voxels: Voxels) -> None:
    np.save(tmp_path / "c.npy", voxels)
    np.save(tmp_path / "f.npy", np.asfortranarray(voxels))
    np.save(tmp_path / "big.npy", voxels.astype(">u2"))
    for name in ("c.npy", "f.npy", "big.npy"):
        check(tmp_path / name, voxels, voxel_um=UM)
    np.save(tmp_path / "xyz.npy", voxels.transpose(2, 1, 0))
    check(tmp_path / "xyz.npy", voxels, voxel_um=UM, axes="xyz")


def test_a_truncated_numpy_file_says_what_is_missing(tmp_path: Path, voxels: Voxels) -> None:
    np.save(tmp_path / "a.npy", voxels)
    path = tmp_path / "a.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FormatError, match=r"truncated: it ends at byte \d+, .*10 are missing"):
        open_source(path, OpenOptions(voxel_um=UM))


def test_axes_that_are_not_plain_are_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2, 2, 2, 2), "u1"))
    with pytest.raises(FormatError, match=r"say which is which with --axes, e.g. --axes zcyx"):
        open_source(tmp_path / "a.npy", OpenOptions(voxel_um=UM))
    with pytest.raises(FormatError, match=r"--axes zyx names 3 axes, but .* has 6"):
        open_source(tmp_path / "a.npy", OpenOptions(voxel_um=UM, axes="zyx"))


@pytest.mark.parametrize(
    ("shape", "times", "channels"), [((9,), 1, 1), ((5, 9), 1, 1), ((2, 3, 4, 5, 9), 2, 3)]
)
def test_one_to_five_axes_come_in(
    read_all: Make, tmp_path: Path, shape: tuple, times: int, channels: int
) -> None:
    values = np.arange(np.prod(shape), dtype="u2").reshape(shape)
    np.save(tmp_path / "a.npy", values)
    info, read = read_all(tmp_path / "a.npy", voxel_um=UM)
    assert (info.times, len(info.channels)) == (times, channels)
    np.testing.assert_array_equal(read.ravel(), values.ravel())


def test_ome_zarr_tells_axes_scale_and_channels(tmp_path: Path, voxels: Voxels) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    array = group.create_array("0", shape=(1, 2, *SHAPE), dtype="u2", chunks=(1, 1, 4, 16, 16))
    array[:] = np.stack([voxels, voxels + 1])[None]
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"]
    steps = [
        {"type": "scale", "scale": [1, 1, 5000, 500, 250]},
        {"type": "translation", "translation": [0, 0, 10_000, 0, 3000]},
    ]
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": [
            {"path": "0", "coordinateTransformations": steps}]}
    ]  # fmt: skip
    group.attrs["omero"] = {"channels": [{"label": "a", "color": "00FF00"}, {"label": "b"}]}
    source = check(tmp_path / "a.zarr", voxels)
    assert source.info.voxel_um == UM
    assert source.info.origin_um == (10.0, 0.0, 3.0)
    assert [c.name for c in source.info.channels] == ["a", "b"]
    with pytest.raises(FormatError, match="no dataset '7'; its levels are 0"):
        open_source(tmp_path / "a.zarr", OpenOptions(dataset="7"))


def test_a_zarr_group_without_metadata_lists_its_arrays(tmp_path: Path, voxels: Voxels) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("raw", shape=SHAPE, dtype="u2", chunks=(4, 16, 16))[:] = voxels
    with pytest.raises(FormatError, match=r"without OME metadata; .* --array \(raw"):
        open_source(tmp_path / "a.zarr", OpenOptions(voxel_um=UM))
    check(tmp_path / "a.zarr", voxels, voxel_um=UM, dataset="raw")
    check(tmp_path / "a.zarr" / "raw", voxels, voxel_um=UM)


def test_n5_is_turned_from_xyz(tmp_path: Path, voxels: Voxels) -> None:
    place = tmp_path / "a.n5" / "setup0" / "s0"
    metadata = {
        "dataType": "uint16",
        "dimensions": [41, 33, 7],
        "blockSize": [16, 16, 4],
        "compression": {"type": "gzip"},
    }
    kvstore = {"driver": "file", "path": f"{place}/"}
    spec = {"driver": "n5", "kvstore": kvstore, "metadata": metadata}
    ts.open(spec, create=True).result().write(voxels.T).result()
    said = json.loads((place / "attributes.json").read_text())
    said["pixelResolution"] = {"dimensions": [250, 500, 5000], "unit": "nm"}
    (place / "attributes.json").write_text(json.dumps(said))
    (tmp_path / "a.n5" / "attributes.json").write_text('{"n5": "2.5.0"}')
    source = check(tmp_path / "a.n5", voxels)
    assert source.info.voxel_um == UM
    with pytest.raises(FormatError, match="no N5 dataset 's1'; there are: setup0/s0"):
        open_source(tmp_path / "a.n5", OpenOptions(dataset="s1"))


def test_precomputed_keeps_its_offset(tmp_path: Path, voxels: Voxels) -> None:
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{tmp_path / 'a'}/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 1},
        "scale_metadata": {
            "size": [41, 33, 7],
            "encoding": "raw",
            "chunk_size": [16, 16, 4],
            "resolution": [250, 500, 5000],
            "voxel_offset": [8, 0, 2],
        },
    }
    ts.open(spec, create=True).result()[..., 0].write(voxels.T).result()
    source = check(tmp_path / "a", voxels)
    assert source.info.voxel_um == UM
    assert source.info.origin_um == (10.0, 0.0, 2.0)
