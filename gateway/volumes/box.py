"""Boxes of voxels and their tilings: pure geometry in zyx order."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Self

Shape = tuple[int, int, int]
Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A half-open box of voxels: `start <= voxel < stop`, each zyx."""

    start: Shape
    stop: Shape

    @classmethod
    def of_shape(cls, shape: Shape) -> Self:
        """Return the box from the origin to `shape`."""
        return cls((0, 0, 0), shape)

    @property
    def shape(self) -> Shape:
        """Extent per axis; never negative."""
        z, y, x = (max(0, b - a) for a, b in zip(self.start, self.stop, strict=True))
        return (z, y, x)

    @property
    def voxels(self) -> int:
        """Number of voxels inside."""
        z, y, x = self.shape
        return z * y * x

    def slices(self, origin: Shape = (0, 0, 0)) -> tuple[slice, slice, slice]:
        """Return slices that cut this box from an array whose first voxel is `origin`."""
        z, y, x = (
            slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, origin, strict=True)
        )
        return (z, y, x)

    def grow(self, halo: Shape, within: Shape) -> "Box":
        """Return the box widened by `halo` on every side, clipped to a volume of shape `within`."""
        start = tuple(max(0, a - h) for a, h in zip(self.start, halo, strict=True))
        stop = tuple(min(n, b + h) for b, h, n in zip(self.stop, halo, within, strict=True))
        return Box(_shape(start), _shape(stop))

    def shift(self, offset: Shape) -> "Box":
        """Return the box moved by `offset` voxels."""
        start = (a + o for a, o in zip(self.start, offset, strict=True))
        stop = (b + o for b, o in zip(self.stop, offset, strict=True))
        return Box(_shape(start), _shape(stop))

    def intersect(self, other: "Box") -> "Box | None":
        """Return the common part, or None where the boxes do not meet."""
        start = _shape(map(max, self.start, other.start))
        stop = _shape(map(min, self.stop, other.stop))
        return Box(start, stop) if all(map(int.__lt__, start, stop)) else None

    def contains(self, other: "Box") -> bool:
        """Whether `other` lies wholly inside."""
        return all(map(int.__le__, self.start, other.start)) and all(
            map(int.__ge__, self.stop, other.stop)
        )

    def __str__(self) -> str:
        """Return `z0:z1,y0:y1,x0:x1`, as the command line takes it."""
        return ",".join(f"{a}:{b}" for a, b in zip(self.start, self.stop, strict=True))


def cut_boxes(whole: Box, block: Shape) -> Iterator[Box]:
    """Cut `whole` into boxes of shape `block` (smaller at the far faces), in C order."""
    ranges = (range(a, b, step) for a, b, step in zip(whole.start, whole.stop, block, strict=True))
    for corner in product(*ranges):
        start = _shape(corner)
        stop = _shape(map(min, (a + n for a, n in zip(start, block, strict=True)), whole.stop))
        yield Box(start, stop)


def _shape(values: "Iterator[int] | tuple[int, ...] | map[int]") -> Shape:
    z, y, x = values
    return (z, y, x)
