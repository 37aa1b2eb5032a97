"""TIFF: multi-page, BigTIFF, ImageJ hyperstacks and OME-TIFF (several files included)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError, StoreError
from gateway.volumes.formats.array import ReadRange, array_source
from gateway.volumes.formats.beside import check_beside
from gateway.volumes.formats.format import FileSource, Format, OpenOptions
from gateway.volumes.formats.raw import InputFile, RawArray
from gateway.volumes.formats.tiff_metadata import read_metadata
from gateway.volumes.formats.tiff_pages import PageStack, check_page_chain
from gateway.volumes.formats.tiff_write import write_tiff

_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NAMES = {"ome": "OME-TIFF", "imagej": "ImageJ TIFF", "lsm": "LSM"}
_CLAIMS = ("ome", "imagej", "shaped")


def open_tiff(path: Path, options: OpenOptions) -> FileSource:
    """Open a TIFF file.

    Raises:
        FormatError: The file is truncated or corrupt, holds several images and `series` does not
            choose one, or does not say how large its voxels are.
    """
    import tifffile

    check_page_chain(path)
    try:
        with tifffile.TiffFile(path) as tiff:
            series, number = _choose(path, tiff, options)
            for other in tiff._files.values():  # noqa: SLF001 - it tells in no other way
                check_beside(path, other.filehandle.path)
            return _open_series(path, tiff, series, number, options)
    except (tifffile.TiffFileError, IndexError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is no readable TIFF file: {error}") from error
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _choose(path: Path, tiff: Any, options: OpenOptions) -> tuple[Any, int]:
    all_series = tiff.series
    if not all_series:
        raise FormatError(f"{path} holds no image")
    for kind in _CLAIMS:
        if getattr(tiff, f"is_{kind}") and all_series[0].kind != kind:
            raise FormatError(
                f"{path} says it is {_NAMES.get(kind, 'a series')}, but its {len(tiff.pages)} "
                "pages do not match its own description: it is truncated or was cut"
            )
    number = options.series
    if number is None:
        if len(all_series) > 1:
            listed = "; ".join(
                f"{i}: {s.name or 'image'} {s.shape} {s.axes} {s.dtype}"
                for i, s in enumerate(all_series)
            )
            raise FormatError(
                f"{path} holds {len(all_series)} images; choose one with --series ({listed})"
            )
        number = 0
    if not 0 <= number < len(all_series):
        raise FormatError(
            f"{path} has no series {number}; there are {len(all_series)}, counted from 0"
        )
    return all_series[number], number


def _open_series(
    path: Path, tiff: Any, series: Any, number: int, options: OpenOptions
) -> FileSource:
    offset = series.dataoffset
    pages = list(series.pages)
    read: ReadRange
    one_file = all(p is None or p.parent.filehandle.path == str(path) for p in pages)
    if offset is not None and one_file and tiff.filehandle.path == str(path):
        dtype = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
        raw = RawArray(file=InputFile(path), offset=offset, shape=series.shape, dtype=dtype)
        read, unit = raw.read, raw.unit
        files: tuple[Path, ...] = (path,)
    else:
        names = [f"{_file_of(p, path)}, page {i}" for i, p in enumerate(pages)]
        stack = PageStack(pages, names)
        read, unit = _page_reader(path, stack, len(pages), series.shape)
        files = stack.files
    said = read_metadata(tiff, series, number)
    return array_source(
        path=path,
        files=files,
        format_name=_NAMES.get(series.kind, "TIFF"),
        read_range=read,
        stored=series.shape,
        dtype=series.dtype,
        axes=series.axes,
        options=options,
        voxel_um=said.voxel_um,
        origin_um=said.origin_um,
        channels=said.channels,
        time_step_s=said.time_step_s,
        unit=unit,
        details=said.details,
    )


def _file_of(page: Any, path: Path) -> str:
    return str(path if page is None else page.parent.filehandle.path)


def _page_reader(
    path: Path, stack: PageStack, pages: int, shape: Sequence[int]
) -> tuple[ReadRange, tuple[int, ...]]:
    """Return how to read `shape` out of pages, and the shape that costs no more than its parts."""
    kept = [i for i, n in enumerate(stack.shape) if n > 1 or i in {2, 3}]
    lead = tuple(shape[: len(shape) - len(kept)])
    inner = tuple(stack.shape[i] for i in kept)
    if math.prod(lead) != pages or tuple(shape[len(lead) :]) != inner:
        raise FormatError(
            f"{path}: an image of shape {tuple(shape)} in {pages} page(s) of shape {inner} is an "
            "arrangement that is not supported; save it as a plain multi-page TIFF"
        )

    def read(start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        out = np.empty([b - a for a, b in zip(start, stop, strict=True)], stack.dtype)
        low, high = [0] * 5, [1] * 5
        for i, a, b in zip(kept, start[len(lead) :], stop[len(lead) :], strict=True):
            low[i], high[i] = a, b
        for index in np.ndindex(*out.shape[: len(lead)]):
            place = [a + i for a, i in zip(start, index, strict=False)]
            page = int(np.ravel_multi_index(place, lead)) if lead else 0
            out[index] = stack.read(page, low, high).reshape(out.shape[len(lead) :])
        return out

    sizes = (*stack.segment, stack.shape[4])
    return read, (*(1 for _ in lead), *(sizes[i] for i in kept))


FORMAT = Format(
    name="TIFF",
    suffixes=(".tif", ".tiff", ".btf", ".tf8", ".lsm"),
    sniff=lambda _path, head: head[:4] in _MAGICS,
    open=open_tiff,
    write=write_tiff,
)
