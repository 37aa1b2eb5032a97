"""NumPy `.npy` files: an array and nothing else, so the voxel size must be given."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gateway.errors import FormatError
from gateway.volumes.formats.array import array_source
from gateway.volumes.formats.format import Excerpt, FileSource, Format, OpenOptions
from gateway.volumes.formats.metadata import GUESSED_AXES
from gateway.volumes.formats.raw import InputFile, RawArray
from gateway.volumes.model import VolumeInfo

_MAGIC = b"\x93NUMPY"


def _open(path: Path, options: OpenOptions) -> FileSource:
    offset, shape, fortran, dtype = _header(path)
    if fortran:
        shape = shape[::-1]
        axes = options.axes or GUESSED_AXES.get(len(shape))
        options = replace(options, axes=axes and axes[::-1])
    raw = RawArray(file=InputFile(path), offset=offset, shape=shape, dtype=dtype)
    return array_source(
        path=path,
        files=(path,),
        format_name="NumPy",
        read_range=raw.read,
        stored=shape,
        dtype=dtype,
        axes=None,
        options=options,
        unit=raw.unit,
    )


def _header(path: Path) -> tuple[int, tuple[int, ...], bool, np.dtype[Any]]:
    try:
        with path.open("rb") as handle:
            major, _ = np.lib.format.read_magic(handle)
            read = (
                np.lib.format.read_array_header_1_0
                if major == 1
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(handle)
            return handle.tell(), shape, fortran, dtype
    except ValueError as error:
        raise FormatError(f"{path} is no readable .npy file: its header is broken ({error})") from (
            error
        )


def write_npy(excerpt: Excerpt, out: BinaryIO) -> None:
    """Write an excerpt, from its first byte to its last."""
    out.write(npy_header(excerpt.info))
    out.writelines(
        np.ascontiguousarray(slab, slab.dtype.newbyteorder("<")).data for slab in excerpt.slabs()
    )


def npy_header(info: VolumeInfo) -> bytes:
    """Return what leads the voxels of an excerpt."""
    shape: tuple[int, ...] = info.array_shape
    if len(info.channels) == 1 and info.times == 1:
        shape = info.shape
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(info.dtype).newbyteorder("<")),
        "fortran_order": False,
        "shape": shape,
    }
    buffer = BytesIO()
    np.lib.format.write_array_header_2_0(buffer, header)
    return buffer.getvalue()


def _write(excerpt: Excerpt, path: Path) -> None:
    with path.open("wb") as out:
        write_npy(excerpt, out)


FORMAT = Format(
    name="NumPy",
    suffixes=(".npy",),
    sniff=lambda _path, head: head.startswith(_MAGIC),
    open=_open,
    write=_write,
)
