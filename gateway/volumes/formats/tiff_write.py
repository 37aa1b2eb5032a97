"""Writing TIFF: an ImageJ hyperstack where ImageJ can hold it, OME-TIFF otherwise."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gateway.volumes.formats.format import Excerpt
from gateway.volumes.model import VolumeInfo

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_CLASSIC_BYTES = 2**32 - 2**25
_FINEST = 10**9


def write_tiff(excerpt: Excerpt, path: Path | BinaryIO) -> None:
    """Write planes one after another; BigTIFF beyond 4 GB.

    One channel of uint8, uint16 or float32 below 4 GB becomes an ImageJ hyperstack, uint64 a
    plain TIFF with tifffile's description, the rest OME-TIFF: each with voxel size and origin.
    An open file must be one that can go back, as the directory of planes is filled in last.
    """
    import tifffile

    info = excerpt.info
    size = np.dtype(info.dtype).itemsize * int(np.prod(info.array_shape, dtype=np.int64))
    big = size > _CLASSIC_BYTES
    imagej = not big and len(info.channels) == 1 and info.dtype in _IMAGEJ_DTYPES
    ome = not imagej and info.dtype != "uint64"
    shape: tuple[int, ...] = info.array_shape
    axes = info.axes.upper()
    if len(info.channels) == 1:
        shape = (*shape[: info.times > 1], *info.shape)
        axes = axes.replace("C", "")
    metadata: dict[str, object] = {"axes": axes}
    metadata |= _ome_metadata(info) if ome else _plain_metadata(info)
    with tifffile.TiffWriter(path, bigtiff=big, imagej=imagej, ome=ome) as out:
        out.write(
            _planes(excerpt),
            shape=shape,
            dtype=info.dtype,
            photometric="minisblack",
            resolution=(_per_um(info.voxel_um[2]), _per_um(info.voxel_um[1])),
            resolutionunit="NONE",
            metadata=metadata,
        )


def _planes(excerpt: Excerpt) -> Iterator[NDArray[Any]]:
    for slab in excerpt.slabs():
        yield from slab


def _per_um(voxel_um: float) -> tuple[int, int]:
    """Pixels per micrometre as the fraction of two 32-bit numbers that TIFF keeps."""
    ratio = 1 / Fraction(voxel_um).limit_denominator(_FINEST)
    while max(ratio.numerator, ratio.denominator) >= 2**32:
        ratio = ratio.limit_denominator(max(1, ratio.denominator // 2))
    return ratio.numerator, ratio.denominator


def _plain_metadata(info: VolumeInfo) -> dict[str, object]:
    said: dict[str, object] = {"spacing": info.voxel_um[0], "unit": "um"}
    for axis, voxel, origin in zip("zyx", info.voxel_um, info.origin_um, strict=True):
        if origin:
            said[f"{axis}origin"] = -origin / voxel
    if info.time_step_s:
        said["finterval"] = info.time_step_s
    return said


def _ome_metadata(info: VolumeInfo) -> dict[str, object]:
    said: dict[str, object] = {}
    for axis, voxel in zip("ZYX", info.voxel_um, strict=True):
        said |= {f"PhysicalSize{axis}": voxel, f"PhysicalSize{axis}Unit": "µm"}
    if info.time_step_s:
        said |= {"TimeIncrement": info.time_step_s, "TimeIncrementUnit": "s"}
    said["Channel"] = {
        "Name": [c.name for c in info.channels],
        "Color": [_ome_colour(c.colour) for c in info.channels],
    }
    if any(info.origin_um):
        planes = info.shape[0] * len(info.channels) * info.times
        z, y, x = info.origin_um
        depths = [z + i % info.shape[0] * info.voxel_um[0] for i in range(planes)]
        said["Plane"] = {
            "PositionZ": depths, "PositionY": [y] * planes, "PositionX": [x] * planes,
            **{f"Position{a}Unit": ["µm"] * planes for a in "ZYX"},
        }  # fmt: skip
    return said


def _ome_colour(colour: str) -> int:
    value = int(colour, 16) << 8 | 0xFF
    return value - 2**32 if value >= 2**31 else value
