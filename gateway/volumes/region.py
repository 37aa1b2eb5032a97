"""Regions: NumPy-like indices and boxes in micrometres, as voxels to read."""

import math
import operator
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from gateway.errors import BoxError
from gateway.volumes.box import Box, Vector
from gateway.volumes.model import Level

_HALF = 0.5
"""A voxel reaches half its size to either side of its centre."""

_TOLERANCE = 1e-6
"""Of a voxel: what rounding of decimal fractions may shift a face by."""


@dataclass(frozen=True, slots=True)
class Region:
    """A NumPy-like index, in two steps: what to read, and what to do with it in memory."""

    slices: tuple[slice, ...]
    """One ascending slice per axis."""
    after: tuple[Any, ...]
    """An index into what was read: drops axes, adds them, turns them round."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what `slices` read."""
        return tuple(len(range(s.start, s.stop, s.step)) for s in self.slices)

    @property
    def box(self) -> Box:
        """The voxels touched, zyx."""
        start = [s.start for s in self.slices[-3:]]
        stop = [s.stop for s in self.slices[-3:]]
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def parse_region(index: tuple[Any, ...], shape: tuple[int, ...]) -> Region:
    """Parse integers, slices, `None` and `...` as NumPy does for an array of `shape`.

    Raises:
        BoxError: An index is out of bounds, of another type, or there are too many.
    """
    slices: list[slice] = []
    after: list[Any] = []
    for entry in _expand(index, len(shape)):
        if entry is None:
            after.append(None)
            continue
        read, then = _axis(entry, shape[len(slices)], len(slices))
        slices.append(read)
        after.append(then)
    return Region(tuple(slices), tuple(after))


def um_box(level: Level, start_um: Vector, stop_um: Vector, name: str) -> Box:
    """Return the voxels of a level whose centres lie in `start_um <= centre < stop_um`.

    A box thinner than a voxel takes the nearest one; one that sticks out is clipped.

    Raises:
        BoxError: The box does not meet the level, or stops before it starts.
    """
    start, stop = [], []
    for low, high, origin, um, n in zip(
        start_um, stop_um, level.origin_um, level.voxel_um, level.shape, strict=True
    ):
        near, far = (low - origin) / um, (high - origin) / um
        if not near <= far or far < -_HALF or near > n - _HALF:
            extent = f"{origin - um / 2:g} to {origin + um * (n - _HALF):g}"
            raise BoxError(
                f"the box {start_um} to {stop_um} µm does not meet {name}: "
                f"on one axis {low:g} to {high:g} was asked of {extent} µm"
            )
        first, end = math.ceil(near - _TOLERANCE), math.ceil(far - _TOLERANCE)
        if first >= end:
            first = round((near + far) / 2)
            end = first + 1
        first = min(max(first, 0), n - 1)
        start.append(first)
        stop.append(min(max(end, first + 1), n))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _expand(index: tuple[Any, ...], axes: int) -> list[Any]:
    given = sum(entry is not None and not isinstance(entry, EllipsisType) for entry in index)
    dots = sum(isinstance(entry, EllipsisType) for entry in index)
    if given > axes or dots > 1:
        raise BoxError(
            f"the region {index} has {given} indices and {dots} '...'; there are {axes} axes"
        )
    fill = [slice(None)] * (axes - given)
    entries: list[Any] = []
    for entry in index if dots else (*index, ...):
        if isinstance(entry, EllipsisType):
            entries += fill
        else:
            entries.append(entry)
    return entries


def _axis(entry: Any, n: int, axis: int) -> tuple[slice, Any]:
    """Return the ascending slice that covers `entry`, and the index that finishes it."""
    if isinstance(entry, slice):
        start, stop, step = entry.indices(n)
        count = len(range(start, stop, step))
        if count == 0:
            return slice(0, 0, 1), slice(None)
        last = start + (count - 1) * step
        if step > 0:
            return slice(start, last + 1, step), slice(None)
        return slice(last, start + 1, -step), slice(None, None, -1)
    try:
        number = operator.index(entry)
    except TypeError as error:
        raise BoxError(
            f"{entry!r} cannot index a volume; use whole numbers, slices, None and '...'"
        ) from error
    if not -n <= number < n:
        raise BoxError(f"index {number} is out of bounds for axis {axis} of {n} voxels")
    number %= n
    return slice(number, number + 1, 1), 0
