"""Cut-outs: a box of a volume, or of a table of points, as a file that is sent as it is made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np

from gateway.errors import BoxError, CallError
from gateway.service.gateway import Gateway
from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.formats.export import excerpt_info
from gateway.volumes.formats.format import Excerpt
from gateway.volumes.formats.streamed import (
    TABLE_FORMATS,
    VOLUME_FORMATS,
    Picked,
    excerpt_bytes,
    write_excerpt,
    write_rows,
)
from gateway.volumes.open import open_ref
from gateway.volumes.points import BoxUm, PointsTable
from gateway.volumes.ref import Ref
from gateway.volumes.volume import Volume

_MEDIA: Mapping[str, str] = {
    "npy": "application/octet-stream",
    "tif": "image/tiff",
    "nii.gz": "application/gzip",
    "nrrd": "application/octet-stream",
    "zip": "application/zip",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
_VOXELS = re.compile(r"(\d{1,9}):(\d{1,9}),(\d{1,9}):(\d{1,9}),(\d{1,9}):(\d{1,9})\Z", re.ASCII)
_NUMBER = r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_MICROMETRES = re.compile(",".join([f"{_NUMBER}:{_NUMBER}"] * 3) + r"\Z", re.ASCII)
_SLAB_BYTES = 16_000_000
_VALUE_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for; boxes as text, `z0:z1,y0:y1,x0:x1`."""

    form: str
    """`npy`, `tif`, `nii.gz`, `nrrd` or `zip` for voxels, `csv` or `json` for points."""
    level: int = 0
    box: str | None = None
    """Voxels of the level."""
    box_um: str | None = None
    """The same place in micrometres; for points the only way."""
    channel: int | None = None
    """None takes all."""
    time: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """A file that is not yet made."""

    filename: str
    media_type: str
    size: int | None
    """Bytes, where they are known beforehand."""
    box: str
    """The box in the grid of its level, or in micrometres for points; `all` for a whole table."""
    timed: bool = False
    """Whether the volume has several time points, one of which is cut out."""
    _write: partial[None]

    def write(self, out: BinaryIO) -> None:
        """Write the file to what need not be able to go back.

        Raises:
            FormatError: The format cannot hold what is asked for.
            CorruptionError: A chunk cannot be decoded.
            StoreError: The storage failed.
        """
        self._write(out)


def plan_cutout(gateway: Gateway, ref: Ref, request: Request) -> Cutout:
    """Check what is asked for and return the file that can be made; no voxel is read.

    Raises:
        NotFoundError: Nothing has that name.
        BoxError: The box, level, channel or time is not in the volume, or too much is asked for.
        CallError: A box is malformed, the format is of another kind, or the thing has no box.
        FormatError: The metadata are broken.
        StoreError: The storage failed.
    """
    thing = open_ref(gateway.store, ref)
    most = int(gateway.settings.cutout)
    if isinstance(thing, Volume):
        return _plan_volume(thing, ref, request, most)
    if isinstance(thing, PointsTable):
        return _plan_points(thing, ref, request, most)
    raise CallError(
        f"{ref} is a {type(thing).__name__}, from which nothing is cut out; "
        "choose an image, labels or points"
    )


def parse_box(text: str) -> Box:
    """Read `z0:z1,y0:y1,x0:x1` in voxels.

    Raises:
        CallError: It is not of that form.
    """
    found = _VOXELS.match(text.replace(" ", ""))
    if found is None:
        raise CallError(
            f"the box {text[:80]!r} is malformed; expected z0:z1,y0:y1,x0:x1 in voxels of the "
            "level, such as 0:64,128:256,128:256"
        )
    z0, z1, y0, y1, x0, x1 = map(int, found.groups())
    return Box((z0, y0, x0), (z1, y1, x1))


def parse_box_um(text: str) -> BoxUm:
    """Read `z0:z1,y0:y1,x0:x1` in micrometres.

    Raises:
        CallError: It is not of that form.
    """
    found = _MICROMETRES.match(text.replace(" ", ""))
    values = [float(value) for value in found.groups()] if found else []
    if not values or not np.isfinite(values).all():
        raise CallError(
            f"the box {text[:80]!r} is malformed; expected z0:z1,y0:y1,x0:x1 in micrometres, "
            "such as 0:150.5,200:300,200:300"
        )
    z0, z1, y0, y1, x0, x1 = values
    return (z0, y0, x0), (z1, y1, x1)


def _plan_volume(volume: Volume, ref: Ref, request: Request, most: int) -> Cutout:
    _check_form(request.form, VOLUME_FORMATS, f"{ref} is a volume")
    info = volume.info
    picked = Picked(volume, _channels(volume, ref, request), request.time)
    box = _voxel_box(volume, request)
    cut, whole = excerpt_info(picked.info, request.level, box)
    raw = whole.voxels * len(cut.channels) * np.dtype(info.dtype).itemsize
    if raw > most:
        raise BoxError(
            f"the box {whole} of level {request.level} of {ref} has {raw:,} bytes; at most "
            f"{most:,} are cut out at once: {_smaller(volume, request.level, raw, most)}"
        )
    excerpt = Excerpt(
        source=picked, info=cut, level=request.level, box=whole, slab_bytes=_SLAB_BYTES
    )
    moment = f"-time{request.time}" if info.times > 1 else ""
    name = f"{ref.dataset}-{ref.name}-level{request.level}{moment}"
    return Cutout(
        filename=f"{name}.ome.zarr.zip" if request.form == "zip" else f"{name}.{request.form}",
        media_type=_MEDIA[request.form],
        size=excerpt_bytes(cut, request.form),
        box=str(whole),
        timed=info.times > 1,
        _write=partial(write_excerpt, excerpt, request.form, name=name),
    )


def _plan_points(table: PointsTable, ref: Ref, request: Request, most: int) -> Cutout:
    _check_form(request.form, TABLE_FORMATS, f"{ref} is a table of points")
    if request.box is not None or request.level or request.channel is not None or request.time:
        raise CallError(
            f"{ref} is a table of points, which has no voxels, levels, channels or times: "
            "give the place as box_um"
        )
    box = None if request.box_um is None else parse_box_um(request.box_um)
    rows = table.group_rows
    groups = range(len(rows)) if box is None else table.groups_in(box)
    raw = sum(rows[group] for group in groups) * len(table.columns) * _VALUE_BYTES
    if raw > most:
        raise BoxError(
            f"the points of {ref} in that box may have {raw:,} bytes; at most {most:,} are sent "
            "at once: choose a smaller box_um, or use `gateway export`"
        )
    return Cutout(
        filename=f"{ref.dataset}-{ref.name}.{request.form}",
        media_type=_MEDIA[request.form],
        size=None,
        box=request.box_um or "all",
        _write=partial(write_rows, table, box, request.form),
    )


def _check_form(form: str, forms: tuple[str, ...], what: str) -> None:
    if form not in forms:
        raise CallError(f"{what}, which is not sent as {form!r}; use one of {', '.join(forms)}")


def _channels(volume: Volume, ref: Ref, request: Request) -> tuple[int, ...]:
    info = volume.info
    if not 0 <= request.time < info.times:
        raise BoxError(f"{ref} has no time {request.time}; there are 0 to {info.times - 1}")
    if request.channel is None:
        return tuple(range(len(info.channels)))
    if not 0 <= request.channel < len(info.channels):
        raise BoxError(
            f"{ref} has no channel {request.channel}; there are 0 to {len(info.channels) - 1}"
        )
    return (request.channel,)


def _voxel_box(volume: Volume, request: Request) -> Box | None:
    if request.box is not None and request.box_um is not None:
        raise CallError("give the box in voxels (box) or in micrometres (box_um), not both")
    if request.box_um is not None:
        start, stop = parse_box_um(request.box_um)
        level = request.level if 0 <= request.level < len(volume.info.levels) else 0
        return volume.box_um(start, stop, level)
    return None if request.box is None else parse_box(request.box)


def _smaller(volume: Volume, level: int, raw: int, most: int) -> str:
    """Say which level would fit, or which share of the box."""
    levels = volume.info.levels
    for number in range(level + 1, len(levels)):
        less: Vector | Shape = levels[number].voxel_um
        factor = np.prod(np.asarray(less) / np.asarray(levels[level].voxel_um))
        if raw / factor <= most:
            return f"the same place fits at level {number}, or choose a smaller box"
    return "choose a smaller box"
