"""Excerpts and tables written to an open file, such as a connection: nothing is kept on disk."""

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.volumes.arrow_values import values_of
from gateway.volumes.box import Box, Shape
from gateway.volumes.columns import POSITION
from gateway.volumes.formats.format import Excerpt
from gateway.volumes.formats.nifti import write_nifti
from gateway.volumes.formats.nrrd_file import write_nrrd
from gateway.volumes.formats.numpy_file import npy_header, write_npy
from gateway.volumes.formats.table import finite_row
from gateway.volumes.formats.tiff_write import write_tiff
from gateway.volumes.formats.zipped import write_zip
from gateway.volumes.model import VolumeInfo
from gateway.volumes.points import BoxUm, PointsTable
from gateway.volumes.source import Source

_PIECE = 1 << 20
_GROUPS = 4
"""Row groups of a table written at once."""

VOLUME_FORMATS = ("npy", "tif", "nii.gz", "nrrd", "zip")
TABLE_FORMATS = ("csv", "json")


class Picked:
    """Some channels of one time point of a source."""

    def __init__(self, source: Source, channels: tuple[int, ...], time: int) -> None:
        """Pick from a source whose channels and times those are."""
        info = source.info
        self._source, self._channels, self._time = source, channels, time
        self._info = replace(
            info, channels=tuple(info.channels[number] for number in channels), times=1
        )

    @property
    def info(self) -> VolumeInfo:
        """The metadata of what is picked."""
        return self._info

    @property
    def read_unit(self) -> Shape:
        """That of the source."""
        return self._source.read_unit

    def read(
        self, box: Box, *, level: int = 0, channel: int | None = None, time: int = 0
    ) -> NDArray[Any]:
        """Read a box, as a source does."""
        del time
        if channel is None:
            parts = [
                self._source.read(box, level=level, channel=number, time=self._time)
                for number in self._channels
            ]
            return np.stack(parts)
        number = self._channels[channel]
        return self._source.read(box, level=level, channel=number, time=self._time)


def write_excerpt(excerpt: Excerpt, form: str, out: BinaryIO, name: str) -> None:
    """Write an excerpt to an open file that need not be able to go back.

    Args:
        excerpt: What to write.
        form: One of `VOLUME_FORMATS`.
        out: Where to.
        name: What the file is called, without a suffix.

    Raises:
        FormatError: No such format is written, or it cannot hold the excerpt.
        CorruptionError: A chunk cannot be decoded.
        StoreError: The storage failed.
    """
    writers: Mapping[str, Callable[[], None]] = {
        "npy": partial(write_npy, excerpt, out),
        "tif": partial(_write_tiff, excerpt, out),
        "nii.gz": partial(write_nifti, excerpt, out, f"{name}.nii.gz"),
        "nrrd": partial(write_nrrd, excerpt, out, f"{name}.nrrd"),
        "zip": partial(write_zip, excerpt, out, name),
    }
    writers[_known(form, VOLUME_FORMATS, "voxels")]()


def excerpt_bytes(info: VolumeInfo, form: str) -> int | None:
    """Return how long a written excerpt will be, where that is known beforehand."""
    if form != "npy":
        return None
    voxels = len(info.channels) * Box.of_shape(info.shape).voxels
    return len(npy_header(info)) + voxels * np.dtype(info.dtype).itemsize


def write_rows(table: PointsTable, box_um: BoxUm | None, form: str, out: BinaryIO) -> None:
    """Write the rows of a box, some row groups at a time.

    Raises:
        FormatError: No such format is written, or the table is broken.
        StoreError: The storage failed.
    """
    writers = {"csv": _write_csv, "json": _write_json}
    writers[_known(form, TABLE_FORMATS, "points")](_rows(table, box_um), out)


def _known(form: str, formats: tuple[str, ...], what: str) -> str:
    if form not in formats:
        raise FormatError(
            f"no cut-out of {what} is written as {form!r}; use one of {', '.join(formats)}"
        )
    return form


def _write_tiff(excerpt: Excerpt, out: BinaryIO) -> None:
    # the file has no name, so whatever happens nothing of it is left
    with _Unnamed(tempfile.TemporaryFile(buffering=0)) as whole:
        write_tiff(excerpt, cast("BinaryIO", whole))
        whole.seek(0)
        shutil.copyfileobj(whole, out, _PIECE)


class _Unnamed(io.BufferedRandom):
    """A file without a name; tifffile asks for one that is text."""

    name = "cutout.tif"


def _rows(table: PointsTable, box_um: BoxUm | None) -> Iterator[Any]:
    """Yield Arrow tables, at least one, so that a file without rows has its columns."""
    groups = range(len(table.group_rows)) if box_um is None else table.groups_in(box_um)
    for first in range(0, max(1, len(groups)), _GROUPS):
        piece = table.read_groups(groups[first : first + _GROUPS], table.columns)
        if box_um is not None:
            inside = np.ones(piece.num_rows, bool)
            for name, start, stop in zip(POSITION, *box_um, strict=True):
                position = values_of(piece.column(name))
                inside &= (position >= start) & (position < stop)
            piece = piece.filter(pa.array(inside))
        yield piece


def _write_csv(pieces: Iterator[Any], out: BinaryIO) -> None:
    import pyarrow.csv

    for number, piece in enumerate(pieces):
        options = pyarrow.csv.WriteOptions(include_header=not number, quoting_style="needed")
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(piece.replace_schema_metadata(None), sink, options)
        out.write(sink.getvalue().to_pybytes())


def _write_json(pieces: Iterator[Any], out: BinaryIO) -> None:
    out.write(b"[")
    lead = "\n"
    for piece in pieces:
        rows = [json.dumps(finite_row(row), ensure_ascii=False) for row in piece.to_pylist()]
        if rows:
            out.write((lead + ",\n".join(rows)).encode())
            lead = ",\n"
    out.write(b"\n]\n")
