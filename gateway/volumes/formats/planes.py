"""A folder of planes, one file each: natural order, nothing missing, doubled or odd."""

import re
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from natsort import natsorted
from numpy.typing import NDArray

from gateway.errors import FormatError, StoreError
from gateway.volumes.box import Box
from gateway.volumes.formats.dtypes import choose_conversion
from gateway.volumes.formats.format import FileSource, OpenOptions
from gateway.volumes.formats.metadata import choose_voxel_um, name_channels
from gateway.volumes.formats.tiff_pages import PageStack
from gateway.volumes.model import VolumeInfo

SUFFIXES = (".tif", ".tiff", ".png")
_LISTED = 8
_DIGITS = re.compile(r"\d+")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}


@dataclass(frozen=True, slots=True, order=True)
class _Look:
    """What a plane file says about itself."""

    rows: int
    columns: int
    samples: int
    dtype: str

    def __str__(self) -> str:
        colours = f" of {self.samples} colours" if self.samples > 1 else ""
        return f"{self.rows} by {self.columns}{colours} {self.dtype}"


def plane_files(folder: Path) -> list[Path]:
    """List the image files of a folder in natural order; hidden files are left out."""
    return natsorted(
        (
            p
            for p in folder.iterdir()
            if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
        ),
        key=lambda p: p.name,
    )


def is_plane(path: Path) -> bool:
    """Whether a file holds one plane rather than a stack."""
    if path.suffix.lower() == ".png":
        return True
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series
            return len(series) == 1 and len(series[0].pages) == 1 and "Z" not in series[0].axes
    except (tifffile.TiffFileError, OSError, ValueError, IndexError, KeyError, TypeError):
        return False


def open_planes(folder: Path, files: Sequence[Path], options: OpenOptions) -> FileSource:
    """Open files as the planes of one volume, in the order given.

    Raises:
        FormatError: Numbers are missing or doubled, or planes differ in size or dtype; names them.
    """
    check_numbers(folder, files)
    first = _look(files[0])
    if not options.checked:
        _check_alike(folder, files)
    conversion = choose_conversion(folder, first.dtype, options.kind, options.as_dtype)
    voxel_um, voxel_um_from = choose_voxel_um(folder, (None, None, None), options)

    def fetch(box: Box, channel: int, _time: int) -> NDArray[Any]:
        out = np.empty(box.shape, first.dtype)
        for i, z in enumerate(range(box.start[0], box.stop[0])):
            look = _look(files[z])
            if look != first:
                raise FormatError(f"{files[z]} is {look}, {files[0].name} is {first}")
            out[i] = _read(files[z], box, channel)
        return out

    info = VolumeInfo(
        kind=conversion.kind,
        dtype=conversion.dtype,
        shape=(len(files), first.rows, first.columns),
        voxel_um=voxel_um,
        channels=name_channels(folder, first.samples, options),
    )
    return FileSource(
        info=info,
        read_unit=(1, first.rows, first.columns),
        fetch=fetch,
        conversion=conversion,
        path=folder,
        files=tuple(files),
        format="folder of planes",
        voxel_um_from=voxel_um_from,
    )


def check_numbers(folder: Path, files: Sequence[Path]) -> None:
    """Refuse a series of numbered names with holes or doubles.

    The number that counts planes is the one that varies; names without numbers are only sorted.

    Raises:
        FormatError: Names the missing numbers, the doubled ones, or the names that do not fit.
    """
    if len(files) < 2:  # noqa: PLR2004
        return
    patterns = Counter(_DIGITS.sub("#", f.stem) for f in files)
    usual, count = patterns.most_common(1)[0]
    if len(patterns) > 1:
        if count < len(files) / 2:
            return
        odd = [f.name for f in files if _DIGITS.sub("#", f.stem) != usual]
        raise FormatError(
            f"{folder}: {_some(odd)} do not follow the naming of the other {count} planes; "
            "move them away, or give --pattern if they are channels"
        )
    numbers = np.array([[int(n) for n in _DIGITS.findall(f.stem)] for f in files], object)
    varying = [i for i in range(numbers.shape[1]) if len(set(numbers[:, i])) > 1]
    if numbers.shape[1] and not varying:
        varying = [numbers.shape[1] - 1]
    if len(varying) != 1:
        if len(varying) > 1:
            raise FormatError(
                f"{folder}: {len(varying)} numbers vary from {files[0].name} to {files[-1].name}; "
                "one should count planes: if another counts channels, give --pattern, e.g. "
                r"--pattern '_ch(\d+)'"
            )
        return
    _check_series(folder, files, [int(n) for n in numbers[:, varying[0]]])


def _check_series(folder: Path, files: Sequence[Path], numbers: list[int]) -> None:
    doubled = [f.name for f, n in zip(files, numbers, strict=True) if numbers.count(n) > 1] if len(
        set(numbers)
    ) < len(numbers) else []  # fmt: skip
    if doubled:
        raise FormatError(
            f"{folder}: planes of the same number: {_some(doubled)}; keep one of each"
        )
    steps = Counter(b - a for a, b in zip(sorted(numbers), sorted(numbers)[1:], strict=False))
    step = steps.most_common(1)[0][0] if steps else 1
    missing = sorted(set(range(min(numbers), max(numbers) + 1, step)) - set(numbers))
    if missing:
        raise FormatError(
            f"{folder}: {len(missing)} plane(s) missing between {files[0].name} and "
            f"{files[-1].name}: number {_some(missing)}; add them, or ingest the parts apart"
        )
    off = [f.name for f, n in zip(files, numbers, strict=True) if (n - min(numbers)) % step]
    if off:
        raise FormatError(f"{folder}: numbers go in steps of {step}, but not those of {_some(off)}")


def _check_alike(folder: Path, files: Sequence[Path]) -> None:
    looks = [_look(f) for f in files]
    usual, count = Counter(looks).most_common(1)[0]
    odd = [f"{f.name} ({look})" for f, look in zip(files, looks, strict=True) if look != usual]
    if odd:
        raise FormatError(
            f"{folder}: {len(odd)} plane(s) differ from the other {count} ({usual}): {_some(odd)}; "
            "all planes of a volume must be alike"
        )


def _some(items: Sequence[object]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(map(str, items[:_LISTED])) + more


def _look(path: Path) -> _Look:
    look: _Look = _look_png(path) if path.suffix.lower() == ".png" else _on_tiff(path, _look_tiff)
    return look


def _read(path: Path, box: Box, channel: int) -> NDArray[Any]:
    if path.suffix.lower() != ".png":
        read: NDArray[Any] = _on_tiff(path, lambda stack: _read_tiff(stack, box, channel))
        return read
    import imagecodecs

    try:
        plane = imagecodecs.png_decode(path.read_bytes())
    except (RuntimeError, OSError) as error:
        raise FormatError(f"{path} cannot be decoded: {error}; the file is corrupt") from error
    plane = plane if plane.ndim > 2 else plane[..., np.newaxis]  # noqa: PLR2004
    rows, columns = box.slices()[1:]
    found: NDArray[Any] = plane[rows, columns, channel]
    return found


def _on_tiff(path: Path, use: Callable[[PageStack], Any]) -> Any:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            if len(tiff.pages) != 1:
                raise FormatError(f"{path} holds {len(tiff.pages)} pages; a plane file holds one")
            return use(PageStack(list(tiff.pages), [f"{path}, page 0"]))
    except (tifffile.TiffFileError, IndexError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is no readable TIFF file: {error}") from error
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _look_tiff(stack: PageStack) -> _Look:
    samples, depth, rows, columns, colours = stack.shape
    if depth > 1:
        raise FormatError(f"{stack.files[0]} holds {depth} planes in one page; expected one")
    return _Look(rows, columns, samples * colours, stack.dtype.name)


def _read_tiff(stack: PageStack, box: Box, channel: int) -> NDArray[Any]:
    colours = stack.shape[4]
    s, c = channel // colours, channel % colours
    low = (s, 0, *box.start[1:], c)
    high = (s + 1, 1, *box.stop[1:], c + 1)
    plane: NDArray[Any] = stack.read(0, low, high)[0, 0, :, :, 0]
    return plane


def _look_png(path: Path) -> _Look:
    try:
        with path.open("rb") as handle:
            head = handle.read(26)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    if not head.startswith(_PNG) or len(head) < 26:  # noqa: PLR2004
        raise FormatError(f"{path} is no readable PNG file: it starts with {head[:8].hex(' ')}")
    width, height, bits, colour = struct.unpack(">IIBB", head[16:26])
    if colour not in _PNG_SAMPLES or bits < 8:  # noqa: PLR2004
        raise FormatError(
            f"{path} is a palette or {bits}-bit PNG; expected 8- or 16-bit intensities"
        )
    return _Look(height, width, _PNG_SAMPLES[colour], f"uint{bits}")
