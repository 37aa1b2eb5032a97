"""NRRD: raw, gzip or bzip2, header attached or beside the data."""

import gzip
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gateway.errors import FormatError
from gateway.volumes.box import Vector
from gateway.volumes.formats.array import array_source
from gateway.volumes.formats.beside import check_beside
from gateway.volumes.formats.format import Excerpt, FileSource, Format, OpenOptions
from gateway.volumes.formats.metadata import UM_PER_UNIT
from gateway.volumes.formats.raw import InputFile, RawArray, inflate

_DTYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "uchar": "u1", "unsigned char": "u1",
    "uint8": "u1", "uint8_t": "u1", "short": "i2", "short int": "i2", "signed short": "i2",
    "signed short int": "i2", "int16": "i2", "int16_t": "i2", "ushort": "u2",
    "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4", "uint": "u4",
    "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4", "longlong": "i8",
    "long long": "i8", "long long int": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "unsigned long long int": "u8",
    "uint64": "u8", "uint64_t": "u8", "float": "f4", "double": "f8",
}  # fmt: skip
_NAMES = {
    "u1": "uint8",
    "u2": "uint16",
    "i2": "int16",
    "f4": "float",
    "u4": "uint32",
    "u8": "uint64",
}
_ENCODINGS = {"raw": None, "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_SPATIAL = ("domain", "space")


def _open(path: Path, options: OpenOptions) -> FileSource:
    header, offset = _header(path)
    stored = tuple(int(n) for n in header["sizes"])[::-1]
    data, offset = _data_file(path, header, offset)
    endian = {"big": ">", "little": "<"}.get(str(header.get("endian", "little")), "<")
    name = str(header["type"])
    if name not in _DTYPES:
        raise FormatError(f"{path} holds {name!r} values; expected integers or floats")
    dtype = np.dtype(endian + _DTYPES[name])
    encoding = str(header.get("encoding", "raw")).lower()
    if encoding not in _ENCODINGS:
        raise FormatError(
            f"{path} has encoding {encoding!r}; expected one of {', '.join(_ENCODINGS)}"
        )
    packed = _ENCODINGS[encoding]
    if packed is None:
        file = InputFile(data)
        if int(header.get("byte skip", 0)) == -1:
            offset = file.size - math.prod(stored) * dtype.itemsize
    else:
        file, offset = inflate(data, offset, packed), 0
    raw = RawArray(file=file, offset=offset, shape=stored, dtype=dtype)
    axes, spatial = _axes(header, len(stored))
    voxel_um, origin_um, details = _placement(header, spatial)
    return array_source(
        path=path,
        files=(path,) if data == path else (path, data),
        format_name="NRRD",
        read_range=raw.read,
        stored=stored,
        dtype=dtype,
        axes=axes,
        options=options,
        unit=raw.unit,
        voxel_um=voxel_um,
        origin_um=origin_um,
        details=details,
    )


def _header(path: Path) -> tuple[Mapping[str, Any], int]:
    import nrrd

    try:
        with path.open("rb") as handle:
            header = nrrd.read_header(handle)
            return header, handle.tell()
    except (nrrd.NRRDError, ValueError, KeyError, IndexError, StopIteration) as error:
        raise FormatError(f"{path} is no readable NRRD file: {error}") from error


def _data_file(path: Path, header: Mapping[str, Any], offset: int) -> tuple[Path, int]:
    skip = max(0, int(header.get("byte skip", 0)))
    if int(header.get("line skip", 0)):
        raise FormatError(f"{path} uses 'line skip', which is not supported; save it again as raw")
    named = header.get("data file", header.get("datafile"))
    if named is None:
        return path, offset + skip
    if str(named).startswith("LIST") or "%" in str(named):
        raise FormatError(
            f"{path} spreads its data over several files ({named}), which is not supported; "
            "save it as one file"
        )
    data = check_beside(path, str(named))
    if not data.is_file():
        raise FormatError(f"{path} names the data file {named!r}, which is not beside it")
    return data, skip


def _axes(header: Mapping[str, Any], count: int) -> tuple[str | None, list[int]]:
    """Return the axes in stored (C) order and which NRRD axes (fastest first) are x, y, z."""
    kinds = [str(k).lower() for k in header.get("kinds", [])]
    spatial = [i for i, k in enumerate(kinds) if k in _SPATIAL]
    if len(kinds) != count or not 0 < len(spatial) <= 3:  # noqa: PLR2004
        return None, list(range(min(3, count)))
    letters = ["t" if k == "time" else "c" for k in kinds]
    for i, letter in zip(spatial, "xyz", strict=False):
        letters[i] = letter
    return "".join(letters[::-1]), spatial


def _placement(
    header: Mapping[str, Any], spatial: list[int]
) -> tuple[tuple[float | None, ...], Vector, dict[str, object]]:
    units = [str(u).strip('"') for u in header.get("space units", header.get("units", []))]
    factors = [UM_PER_UNIT.get(u.lower()) for u in units if u]
    factor = factors[0] if factors else None
    details: dict[str, object] = {}
    if factor is None:
        details["unit"] = "unknown"
        return (None, None, None), (0.0, 0.0, 0.0), details
    directions = header.get("space directions")
    if directions is not None:
        rows = np.asarray(directions, float)[spatial]
        sizes = [float(np.linalg.norm(r)) for r in rows]
        straight = np.allclose(rows, np.diag(sizes)) if rows.shape == (3, 3) else False
        if not straight:
            details["orientation"] = "axes are turned or mirrored; the voxels keep their order"
    else:
        spacings = header.get("spacings", [math.nan] * (max(spatial) + 1))
        sizes = [abs(float(spacings[i])) for i in spatial]
        straight = True
    origin = header.get("space origin", [0.0, 0.0, 0.0]) if straight else [0.0, 0.0, 0.0]
    um = [v * factor if math.isfinite(v) and v > 0 else None for v in sizes]
    um += [None] * (3 - len(um))
    ox, oy, oz = (float(v) * factor for v in (*origin, 0.0, 0.0)[:3])
    return tuple(um[::-1]), (oz, oy, ox), details


def write_nrrd(excerpt: Excerpt, out: BinaryIO, name: str) -> None:
    """Write an excerpt, from its first byte to its last.

    Raises:
        FormatError: It is a time series; names the file as `name`.
    """
    info = excerpt.info
    if info.times > 1:
        raise FormatError(f"{name}: a time series does not fit NRRD; use .tif or .ome.zarr")
    count = len(info.channels)
    lead = " none" if count > 1 else ""
    size = " ".join(map(str, (*info.shape[::-1], *([count] if count > 1 else []))))
    directions = " ".join(
        "(" + ",".join(repr(float(v)) if i == j else "0" for j in range(3)) + ")"
        for i, v in enumerate(info.voxel_um[::-1])
    )
    lines = [
        "NRRD0005",
        f"type: {_NAMES[np.dtype(info.dtype).str[1:]]}",
        f"dimension: {3 + (count > 1)}",
        "space dimension: 3",
        f"sizes: {size}",
        f"space directions: {directions}{lead}",
        f"kinds: domain domain domain{' list' if count > 1 else ''}",
        "endian: little",
        "encoding: gzip",
        'space units: "um" "um" "um"',
        f"space origin: ({','.join(repr(float(v)) for v in info.origin_um[::-1])})",
    ]
    out.write(("\n".join(lines) + "\n\n").encode("ascii"))
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=4) as packed:
        for slab in excerpt.slabs():
            packed.write(np.ascontiguousarray(slab, slab.dtype.newbyteorder("<")).data)


def _write(excerpt: Excerpt, path: Path) -> None:
    with path.open("wb") as out:
        write_nrrd(excerpt, out, str(path))


FORMAT = Format(
    name="NRRD",
    suffixes=(".nrrd", ".nhdr"),
    sniff=lambda _path, head: head.startswith(b"NRRD"),
    open=_open,
    write=_write,
)
