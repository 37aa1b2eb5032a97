"""Voxels of TIFF pages, read segment by segment: never a plane invented for missing bytes.

`tifffile` fills missing segments with zeros and stops quietly where a chain of pages is cut. Here
every segment is checked against the file before the first voxel is read, and the chain of pages
is walked to its end.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.volumes.formats.raw import InputFile

_JPEG = frozenset({6, 7, 34892, 33007})
_JPEG_2000 = frozenset({33003, 33004, 33005, 34712})
_JPEG_END = b"\xff\xd9"
"""Ends both kinds of stream; their decoders fill up what is missing with grey."""
_BIG_TIFF = 43
Five = tuple[int, int, int, int, int]


def check_page_chain(path: Path) -> int:
    """Walk the chain of pages (IFDs) of a TIFF file to its end and return how many there are.

    Raises:
        FormatError: The chain leaves the file or loops; names the page and the byte.
    """
    file = InputFile(path)
    size = file.size
    head = file.read_at(0, min(size, 16))
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == _BIG_TIFF
    count_code, offset_code, tag_bytes = ("Q", "Q", 20) if big else ("H", "I", 12)
    word, pointer = struct.calcsize(count_code), struct.calcsize(offset_code)
    seen: set[int] = set()
    (offset,) = struct.unpack(order + offset_code, head[8:16] if big else head[4:8])
    while offset:
        place = f"{path}: page {len(seen)} should start at byte {offset}"
        if offset in seen:
            raise FormatError(f"{place}, where an earlier page is: the file is corrupt")
        if offset + word > size:
            raise FormatError(f"{place}, but the file ends at byte {size}: it is truncated")
        seen.add(offset)
        (tags,) = struct.unpack(order + count_code, file.read_at(offset, word))
        link = offset + word + tags * tag_bytes
        if link + pointer > size:
            raise FormatError(
                f"{place} with {tags} tags, but the file ends at byte {size}: truncated or corrupt"
            )
        (offset,) = struct.unpack(order + offset_code, file.read_at(link, pointer))
    return len(seen)


@dataclass(frozen=True, slots=True)
class _Page:
    file: InputFile
    offsets: Sequence[int]
    counts: Sequence[int]
    jpeg: dict[str, Any]


def _check_segments(name: str, offsets: Sequence[int], counts: Sequence[int], size: int) -> None:
    """Refuse a page of which a segment was never written or lies beyond the end of the file."""
    starts, lengths = np.asarray(offsets, np.int64), np.asarray(counts, np.int64)
    unwritten = np.flatnonzero((starts <= 0) | (lengths <= 0))
    if unwritten.size:
        i = int(unwritten[0])
        raise FormatError(
            f"{name}: segment {i} of {len(starts)} was never written (offset {starts[i]}, "
            f"{lengths[i]} bytes); the file is incomplete: write or copy it again"
        )
    beyond = np.flatnonzero(starts + lengths > size)
    if beyond.size:
        i = int(beyond[0])
        raise FormatError(
            f"{name}: segment {i} of {len(starts)} lies at byte {starts[i]} ({lengths[i]} bytes), "
            f"but the file ends at byte {size}: it is truncated; copy it again"
        )


class PageStack:
    """The pages of one series, all alike, read by `(sample, depth, row, column, colour)`."""

    def __init__(self, pages: Sequence[Any], names: Sequence[str]) -> None:
        """Check all segments of all pages against their files.

        Args:
            pages: `tifffile` pages or frames; None where a plane is missing.
            names: What to call each page in errors, with its file.
        """
        missing = [name for name, page in zip(names, pages, strict=True) if page is None]
        if missing:
            raise FormatError(
                f"{len(missing)} plane(s) are missing: {', '.join(missing[:5])}"
                f"{', …' if len(missing) > 5 else ''}"  # noqa: PLR2004
            )
        self._names = names
        self._key = pages[0].keyframe
        # made now, because for JPEG it reads from the file, which is closed later
        self._decoder = self._key.decode
        self.shape: Five = self._key.shaped
        self.dtype = np.dtype(self._key.dtype)
        samples, depth, rows, columns, _ = self.shape
        if self._key.is_tiled:
            segment = (1, self._key.tiledepth, self._key.tilelength, self._key.tilewidth)
        else:
            segment = (1, 1, min(self._key.rowsperstrip, rows), columns)
        self.segment: tuple[int, int, int, int] = segment
        self._segments = tuple(
            math.ceil(n / s) for n, s in zip((samples, depth, rows, columns), segment, strict=True)
        )
        self._jpeg = self._key.compression in _JPEG
        files: dict[Path, InputFile] = {}
        self._pages = [
            self._admit(page, name, files) for page, name in zip(pages, names, strict=True)
        ]
        self.files = tuple(files)

    def _admit(self, page: Any, name: str, files: dict[Path, InputFile]) -> _Page:
        path = Path(page.parent.filehandle.path)
        if path not in files:
            check_page_chain(path)
            files[path] = InputFile(path)
        if page.keyframe.shaped != self.shape or page.keyframe.dtype != self._key.dtype:
            raise FormatError(
                f"{name} has shape {page.keyframe.shaped} {page.keyframe.dtype}, the first page "
                f"{self.shape} {self._key.dtype}; all planes of a volume must be alike"
            )
        offsets, counts = page.dataoffsets, page.databytecounts
        expected = math.prod(self._segments)
        if len(offsets) < expected or len(counts) < expected:
            raise FormatError(f"{name} lists {len(offsets)} segments of {expected}: it is corrupt")
        _check_segments(name, offsets[:expected], counts[:expected], files[path].size)
        jpeg = {"jpegtables": page.jpegtables, "jpegheader": page.keyframe.jpegheader}
        return _Page(files[path], offsets, counts, jpeg if self._jpeg else {})

    def read(self, page: int, start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        """Read a part of a page, five axes in and out.

        Raises:
            FormatError: A segment cannot be decoded; names file, page and byte.
        """
        out = np.empty([b - a for a, b in zip(start, stop, strict=True)], self.dtype)
        spans = [
            range(a // s, math.ceil(b / s))
            for a, b, s in zip(start[:4], stop[:4], self.segment, strict=True)
        ]
        for place in product(*spans):
            index = int(np.ravel_multi_index(place, self._segments))
            decoded, (s, d, y, x, _) = self._decode(page, index)
            corner = (s, d, y, x, 0)
            low = [max(a, c) for a, c in zip(start, corner, strict=True)]
            ends = (s + 1, *(c + n for c, n in zip(corner[1:], decoded.shape, strict=True)))
            high = [min(b, e) for b, e in zip(stop, ends, strict=True)]
            target = tuple(slice(a - o, b - o) for a, b, o in zip(low, high, start, strict=True))
            source = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner, strict=True))
            out[target] = decoded[np.newaxis][source]
        return out

    def _decode(self, number: int, index: int) -> tuple[NDArray[Any], Five]:
        import tifffile

        page = self._pages[number]
        data = page.file.read_at(page.offsets[index], page.counts[index])
        place = f"{self._names[number]}, segment {index} at byte {page.offsets[index]}"
        marked = self._jpeg or self._key.compression in _JPEG_2000
        if marked and not data.rstrip(b"\x00").endswith(_JPEG_END):
            raise FormatError(f"{place}: its JPEG stream is cut short; the file is corrupt")
        try:
            decoded, corner, _ = self._decoder(data, index, **page.jpeg)
        except (RuntimeError, ValueError, TypeError, tifffile.TiffFileError) as error:
            raise FormatError(
                f"{place} ({len(data)} bytes) cannot be decoded: {error}; the file is corrupt"
            ) from error
        if decoded is None:
            raise FormatError(f"{place} decodes to nothing; the file is corrupt")
        return decoded, corner
