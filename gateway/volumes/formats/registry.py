"""The known formats, and how a path finds its own."""

from pathlib import Path

from gateway.errors import FormatError, NotFoundError, StoreError
from gateway.volumes.formats import (
    channels,
    hdf5,
    n5,
    nifti,
    nrrd_file,
    numpy_file,
    ome_zarr,
    precomputed,
    tiff,
)
from gateway.volumes.formats.format import FileSource, Format, OpenOptions

_HEAD_BYTES = 1024


def open_source(path: str | Path, options: OpenOptions | None = None) -> FileSource:
    """Open a file, or a folder that is one image, of any known format.

    Args:
        path: What to read.
        options: What the file does not say itself.

    Raises:
        NotFoundError: There is nothing at `path`.
        FormatError: No format knows it, or it is broken; names the file and the place.
        StoreError: It cannot be read.
    """
    place = Path(path).absolute()
    return find_format(place).open(place, options or OpenOptions())


FORMATS: tuple[Format, ...] = (
    tiff.FORMAT,
    hdf5.FORMAT,
    nifti.FORMAT,
    nrrd_file.FORMAT,
    numpy_file.FORMAT,
    ome_zarr.FORMAT,
    n5.FORMAT,
    precomputed.FORMAT,
    channels.make_format(open_source),
)
"""In the order they are asked: files by their first bytes, folders by a file that marks them."""


def find_format(path: Path) -> Format:
    """Return the first format whose mark `path` bears; errors as `open_source`."""
    head = _head(path)
    for known in FORMATS:
        if known.sniff(path, head):
            return known
    what = "folder" if path.is_dir() else f"file (first bytes {head[:8].hex(' ')})"
    raise FormatError(
        f"{path} is a {what} of no known format; known are {', '.join(f.name for f in FORMATS)}"
    )


def writer_for(path: Path) -> Format:
    """Return the format that writes files of this name.

    Raises:
        FormatError: None does; lists the suffixes that are written.
    """
    for known in FORMATS:
        if known.write is not None and path.name.lower().endswith(known.suffixes):
            return known
    written = [f.suffixes[0] for f in FORMATS if f.write is not None]
    raise FormatError(f"no format writes {path.name!r}; use one of {', '.join(written)}")


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            return b""
        with path.open("rb") as handle:
            head = handle.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file or folder {path}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    if not head:
        raise FormatError(f"{path} is empty (0 bytes); was it copied whole?")
    return head
