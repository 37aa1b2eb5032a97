"""From what a file says about axes, units and channels to the gateway's `czyx` in micrometres."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import FormatError
from gateway.volumes.box import Shape, Vector
from gateway.volumes.formats.format import OpenOptions, VoxelSizeFrom
from gateway.volumes.model import Channel

UM_PER_UNIT: Mapping[str, float] = {
    "m": 1e6, "meter": 1e6, "metre": 1e6, "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3, "um": 1.0, "\u00b5m": 1.0, "\u03bcm": 1.0,
    "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3, "pm": 1e-6, "\u00e5": 1e-4, "angstrom": 1e-4,
    "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
"""Micrometres per unit of length, by lower-case name."""

GUESSED_AXES: Mapping[int, str] = {1: "x", 2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}
"""The order of axes where a file does not say, by their number."""
_COLOURS = ("FFFFFF", "00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")


@dataclass(frozen=True, slots=True)
class Grid:
    """How the axes of a stored array map to `tczyx`."""

    axes: str
    """One of `tczyx` per stored axis, `s` for a second channel axis (colour samples), `1` for
    an axis of length one that means nothing."""
    stored: tuple[int, ...]

    def length(self, axis: str) -> int:
        """Length of one of `tczyxs`; 1 where the array has no such axis."""
        return self.stored[self.axes.index(axis)] if axis in self.axes else 1

    @property
    def shape(self) -> Shape:
        """Voxels per axis, zyx."""
        return (self.length("z"), self.length("y"), self.length("x"))

    @property
    def channels(self) -> int:
        """Number of channels, colour samples counted."""
        return self.length("c") * self.length("s")


def map_axes(
    path: Path | str, axes: str | None, stored: Sequence[int], options: OpenOptions
) -> Grid:
    """Match stored axes with `tczyx`.

    Args:
        path: Named in errors.
        axes: What the file says, one letter per axis; letters outside `tczyxs` mean unknown.
        stored: The shape of the array.
        options: `axes` overrides the file.

    Raises:
        FormatError: The axes are contradictory or unknown; says to give `--axes`.
    """
    shape = tuple(int(n) for n in stored)
    if not shape or 0 in shape:
        raise FormatError(f"{path} holds an empty array of shape {shape}")
    found = (options.axes or axes or GUESSED_AXES.get(len(shape), "?" * len(shape))).lower()
    if options.axes is not None and len(found) != len(shape):
        raise FormatError(
            f"--axes {options.axes} names {len(found)} axes, but {path} has {len(shape)}: {shape}"
        )
    letters = [a if a in "tczyxs" else "?" for a in found]
    unknown = [i for i, a in enumerate(letters) if a == "?"]
    for i in [i for i in unknown if shape[i] == 1]:
        letters[i] = "1"
        unknown.remove(i)
    if len(unknown) == 1 and "z" not in letters:
        letters[unknown.pop()] = "z"
    doubled = {a for a in letters if a in "tczyxs" and letters.count(a) > 1}
    if unknown or doubled or "x" not in letters:
        raise FormatError(
            f"{path} has axes {found!r} of lengths {shape}, which are not plainly t, c, z, y, x; "
            "say which is which with --axes, e.g. --axes zcyx"
        )
    return Grid("".join(letters), shape)


def to_um(value: float, unit: str | None) -> float | None:
    """Convert a length to micrometres; None where the unit is unknown or the value no length."""
    factor = UM_PER_UNIT.get((unit or "").strip().lower())
    if factor is None or not math.isfinite(value) or value <= 0:
        return None
    return value * factor


def choose_voxel_um(
    path: Path | str, found: Sequence[float | None], options: OpenOptions
) -> tuple[Vector, VoxelSizeFrom]:
    """Choose the voxel size: what the person says, else the file, else the caller's default.

    Raises:
        FormatError: Nobody says it, or a given size is not a positive number.
    """
    if options.voxel_um is not None:
        return check_voxel_um(options.voxel_um), "given"
    z, y, x = found
    if z is not None and y is not None and x is not None:
        return check_voxel_um((z, y, x)), "file"
    if options.default_um is not None:
        return check_voxel_um(options.default_um), "default"
    known = [f"{a}={v:g} µm" for a, v in zip("zyx", found, strict=True) if v is not None]
    said = f"only says {', '.join(known)}" if known else "does not say"
    raise FormatError(
        f"{path} {said} how large its voxels are; give it as --voxel-um Z,Y,X in micrometres, "
        "e.g. --voxel-um 5,2,2"
    )


def check_voxel_um(voxel_um: Sequence[float]) -> Vector:
    """Return the voxel size, if it is three positive finite numbers.

    Raises:
        FormatError: It is not.
    """
    if len(voxel_um) != 3 or not all(math.isfinite(v) and v > 0 for v in voxel_um):  # noqa: PLR2004
        raise FormatError(
            f"voxel size {','.join(map(str, voxel_um))} µm is not possible; expected three "
            "positive numbers Z,Y,X in micrometres"
        )
    z, y, x = (float(v) for v in voxel_um)
    return (z, y, x)


def name_channels(
    path: Path | str, count: int, options: OpenOptions, found: Sequence[Channel] = ()
) -> tuple[Channel, ...]:
    """Name the channels: what the person says, else the file, else numbers.

    Raises:
        FormatError: The number of names given is not the number of channels, or one repeats.
    """
    names = options.channel_names
    if names is not None and (len(names) != count or len(set(names)) != count):
        raise FormatError(
            f"{len(names)} channel name(s) given ({', '.join(names)}), but {path} has {count} "
            "channel(s); give as many different names as there are channels"
        )
    known = list(found) if len(found) == count else []
    if not known or len({c.name for c in known}) != count:
        colours = [_COLOURS[(i + (count > 1)) % len(_COLOURS)] for i in range(count)]
        known = [
            Channel(
                name=str(i),
                colour=known[i].colour if known else colours[i],
                window=known[i].window if known else None,
            )
            for i in range(count)
        ]
    if names is not None:
        known = [
            Channel(name=name, colour=c.colour, window=c.window)
            for name, c in zip(names, known, strict=True)
        ]
    return tuple(known)
