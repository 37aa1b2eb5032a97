"""NIfTI-1 and NIfTI-2, plain or gzipped: stored xyz, handed over as zyx."""

import gzip
import math
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from gateway.errors import FormatError
from gateway.volumes.box import Vector
from gateway.volumes.formats.array import array_source
from gateway.volumes.formats.dtypes import choose_conversion
from gateway.volumes.formats.format import Excerpt, FileSource, Format, OpenOptions
from gateway.volumes.formats.metadata import UM_PER_UNIT
from gateway.volumes.formats.raw import InputFile, RawArray, inflate
from gateway.volumes.model import VolumeInfo

_GZIP = b"\x1f\x8b"
_HEADER_SIZES = {b"\x5c\x01\0\0": 1, b"\0\0\x01\x5c": 1, b"\x1c\x02\0\0": 2, b"\0\0\x02\x1c": 2}
_MARKS = (b"n+1", b"ni1", b"n+2", b"ni2")
_AXES = "xyztc"
_LARGEST_NIFTI1_AXIS = 32767
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}


def _sniff(path: Path, head: bytes) -> bool:
    if head.startswith(_GZIP) and path.name.lower().endswith(".gz"):
        return path.name.lower().endswith(".nii.gz")
    version = _HEADER_SIZES.get(head[:4])
    mark = head[344:347] if version == 1 else head[4:7]
    return version is not None and mark in _MARKS


def _open(path: Path, options: OpenOptions) -> FileSource:
    packed = path.name.lower().endswith(".gz")
    header = _header(path, packed=packed)
    stored = tuple(int(n) for n in header.get_data_shape())
    dtype = header.get_data_dtype()
    slope, inter = header.get_slope_inter()
    scaled = slope not in {None, 1.0} or inter not in {None, 0.0}
    file = inflate(path, 0, "gzip") if packed else InputFile(path)
    raw = RawArray(
        file=file, offset=int(header["vox_offset"]) or 352, shape=stored[::-1], dtype=dtype
    )
    if scaled:
        # the scaled values are what the file means; float64 is how nibabel gives them
        choose_conversion(path, "float64", options.kind, options.as_dtype)

    def read(start: Any, stop: Any) -> Any:
        voxels = raw.read(start, stop)
        return voxels * float(slope or 1.0) + float(inter or 0.0) if scaled else voxels

    space, _ = header.get_xyzt_units()
    factor = UM_PER_UNIT.get({"meter": "m"}.get(space, space))
    voxel_um, origin_um, details = _placement(header, factor)
    return array_source(
        path=path,
        files=(path,),
        format_name="NIfTI",
        read_range=read,
        stored=stored[::-1],
        dtype="float64" if scaled else dtype,
        axes=_AXES[: len(stored)][::-1],
        options=options,
        unit=raw.unit,
        voxel_um=voxel_um,
        origin_um=origin_um,
        time_step_s=_time_step(header),
        details=details,
    )


def _header(path: Path, *, packed: bool) -> Any:
    import nibabel

    opener: Any = gzip.open if packed else Path.open
    try:
        with opener(path, "rb") as handle:
            return _parse(handle)
    except (EOFError, OSError, ValueError, nibabel.spatialimages.HeaderDataError) as error:
        raise FormatError(f"{path} is no readable NIfTI file: {error}") from error


def _parse(handle: IO[bytes]) -> Any:
    import nibabel

    start = handle.read(4)
    handle.seek(0)
    one = _HEADER_SIZES.get(start, 0) == 1
    kind: Any = nibabel.Nifti1Header if one else nibabel.Nifti2Header
    return kind.from_fileobj(handle)


def _time_step(header: Any) -> float | None:
    zooms = header.get_zooms()
    _, time = header.get_xyzt_units()
    return float(zooms[3]) * _SECONDS[time] if len(zooms) > 3 and time in _SECONDS else None  # noqa: PLR2004


def _placement(
    header: Any, factor: float | None
) -> tuple[tuple[float | None, ...], Vector, dict[str, object]]:
    """Voxel size and origin, zyx; an axis that runs backwards keeps its order and is noted."""
    affine = header.get_best_affine()
    details: dict[str, object] = {"affine_xyz": affine.tolist()}
    if factor is None:
        details["unit"] = "unknown"
        return (None, None, None), (0.0, 0.0, 0.0), details
    sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not (sizes > 0).all() or not np.isfinite(sizes).all():
        sizes = np.abs(np.array(header.get_zooms()[:3], float))
    off_axis = affine[:3, :3] - np.diag(np.diag(affine[:3, :3]))
    straight = (
        np.allclose(off_axis, 0, atol=1e-4 * sizes.max()) and (np.diag(affine[:3, :3]) > 0).all()
    )
    x, y, z = (_short(v) * factor for v in (*sizes, 1, 1, 1)[:3])
    origin: Vector = (0.0, 0.0, 0.0)
    if straight:
        ox, oy, oz = (_short(v) * factor for v in affine[:3, 3])
        origin = (oz, oy, ox)
    else:
        details["orientation"] = "the affine turns or mirrors axes; the voxels keep their order"
    return (z, y, x), origin, details


def _short(value: float) -> float:
    """Undo the 32-bit rounding of the header: 0.1 instead of 0.10000000149."""
    single = np.float32(value)
    return (
        float(str(single))
        if np.float64(single) == value or math.isclose(single, value, rel_tol=1e-6)
        else float(value)
    )


def write_nifti(excerpt: Excerpt, out: BinaryIO, name: str) -> None:
    """Write an excerpt, from its first byte to its last, gzipped where `name` says so.

    Raises:
        FormatError: The format cannot hold it; names the file as `name`.
    """
    header = _new_header(name, excerpt.info)
    if not name.lower().endswith(".gz"):
        _write_plain(excerpt, out, header)
        return
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=4) as packed:
        _write_plain(excerpt, packed, header)


def _write_plain(excerpt: Excerpt, out: Any, header: Any) -> None:
    head = BytesIO()
    header.write_to(head)
    out.write(head.getvalue().ljust(int(header["vox_offset"]), b"\0"))
    for slab in excerpt.slabs():
        out.write(np.ascontiguousarray(slab, slab.dtype.newbyteorder("<")).data)


def _write(excerpt: Excerpt, path: Path) -> None:
    with path.open("wb") as out:
        write_nifti(excerpt, out, str(path))


def _new_header(path: str, info: VolumeInfo) -> Any:
    import nibabel

    shape = info.shape[::-1]
    count = len(info.channels)
    if info.times > 1 and count > 1:
        raise FormatError(
            f"{path}: NIfTI keeps channels of a time series in another order than can be written "
            "in one pass; export one channel, or use .tif or .ome.zarr"
        )
    if count > 1:
        shape = (*shape, 1, count)  # type: ignore[assignment]
    elif info.times > 1:
        shape = (*shape, info.times)  # type: ignore[assignment]
    one = max(shape) <= _LARGEST_NIFTI1_AXIS
    kind: Any = nibabel.Nifti1Header if one else nibabel.Nifti2Header
    header = kind(endianness="<")
    header.set_data_dtype(np.dtype(info.dtype))
    header.set_data_shape(shape)
    affine = np.diag([*(v / 1000 for v in info.voxel_um[::-1]), 1.0])
    affine[:3, 3] = [v / 1000 for v in info.origin_um[::-1]]
    header.set_zooms(
        [*(v / 1000 for v in info.voxel_um[::-1]), *[info.time_step_s or 1.0] * 2][: len(shape)]
    )
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner")
    header.set_xyzt_units("mm", "sec")
    header["magic"] = header.single_magic
    header["vox_offset"] = header.single_vox_offset
    return header


FORMAT = Format(name="NIfTI", suffixes=(".nii.gz", ".nii"), sniff=_sniff, open=_open, write=_write)
