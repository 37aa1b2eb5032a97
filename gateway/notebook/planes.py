"""Planes of a volume as pictures: only the chunks of the plane are read, at a level that fits."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gateway.algo.pictures import scale_to_bytes
from gateway.volumes.box import Box, Vector
from gateway.volumes.model import Level
from gateway.volumes.volume import Volume

_FACTOR = 2654435761
"""Gives neighbouring labels far colours."""
_CROSS = (255, 212, 0)
_RING = (255, 110, 199)
_RING_PIXELS = 6


@dataclass(frozen=True, slots=True)
class Look:
    """How planes are drawn."""

    channel: int = 0
    window: tuple[float, float] = (0.0, 1.0)
    labels: bool = True
    points: bool = True
    time: int = 0


@dataclass(frozen=True, slots=True)
class Planes:
    """A volume with what is drawn over it."""

    volume: Volume
    longest: int = 420
    """Pixels of the longest side of a picture."""
    labels: Volume | None = None
    points_um: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))
    """Rows zyx."""
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    """Of labels that have one of their own."""

    @property
    def bounds_um(self) -> tuple[Vector, Vector]:
        """The centres of the first and the last voxel, zyx."""
        info = self.volume.info
        low = np.asarray(info.origin_um)
        high = low + (np.asarray(info.shape) - 1) * np.asarray(info.voxel_um)
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def size(self, axis: int) -> tuple[int, int]:
        """Return rows and columns of the picture of the plane across an axis."""
        extent = np.asarray(self.volume.info.shape) * np.asarray(self.volume.info.voxel_um)
        scale = self.longest / float(extent.max())
        rows, columns = (max(1, round(float(extent[a]) * scale)) for a in _others(axis))
        return rows, columns

    def level(self) -> int:
        """Return the coarsest level that still has a voxel a pixel."""
        extent = np.asarray(self.volume.info.shape) * np.asarray(self.volume.info.voxel_um)
        pixel_um = float(extent.max()) / self.longest
        return self.volume.level_for(max(pixel_um, min(self.volume.info.voxel_um)))

    def draw(self, axis: int, at_um: Vector, look: Look) -> bytes:
        """Return the plane across `axis` through a place, as a PNG.

        Raises:
            CorruptionError: A chunk cannot be decoded.
            StoreError: The storage failed.
        """
        number = self.level()
        level = self.volume.info.levels[number]
        box = _plane(level, axis, at_um)
        values = self.volume.read(box, level=number, channel=look.channel, time=look.time)
        grey = scale_to_bytes(values.squeeze(axis), look.window)
        pixels = np.repeat(grey[..., np.newaxis], 3, axis=-1)
        if self.labels is not None and look.labels:
            self._lay_labels(pixels, level, axis, at_um)
        rows, columns = self.size(axis)
        smooth = Image.Resampling.NEAREST if columns > pixels.shape[1] else Image.Resampling.BOX
        picture = Image.fromarray(pixels).resize((columns, rows), smooth)
        self._mark(picture, axis, at_um, rings=look.points)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def _lay_labels(
        self, pixels: NDArray[np.uint8], level: Level, axis: int, at_um: Vector
    ) -> None:
        """Colour the pixels that labels cover, wherever the labels lie."""
        labels = self.labels
        if labels is None:
            return
        number = labels.level_for(max(level.voxel_um))
        theirs = labels.info.levels[number]
        plane = labels.read(_plane(theirs, axis, at_um), level=number, channel=0).squeeze(axis)
        index, inside = [], []
        for one in _others(axis):
            place = level.origin_um[one] + np.arange(level.shape[one]) * level.voxel_um[one]
            found = np.rint((place - theirs.origin_um[one]) / theirs.voxel_um[one]).astype(int)
            inside.append((found >= 0) & (found < theirs.shape[one]))
            index.append(found.clip(0, theirs.shape[one] - 1))
        shown = plane[np.ix_(*index)] * np.outer(*inside)
        mark = shown > 0
        pixels[mark] = (pixels[mark] * 0.55 + colours_of(shown[mark]) * 0.45).astype(np.uint8)

    def _mark(self, picture: Image.Image, axis: int, at_um: Vector, *, rings: bool) -> None:
        """Draw the cross, and a ring around each point near the plane."""
        draw = ImageDraw.Draw(picture)
        info = self.volume.info
        low = np.asarray(info.origin_um) - np.asarray(info.voxel_um) / 2
        extent = np.asarray(info.shape) * np.asarray(info.voxel_um)
        across = _others(axis)
        scale = np.asarray(picture.size[::-1]) / extent[list(across)]
        if rings and len(self.points_um):
            near = np.abs(self.points_um[:, axis] - at_um[axis]) <= 2 * info.voxel_um[axis]
            for y, x in (self.points_um[near][:, across] - low[list(across)]) * scale:
                spot = (x - _RING_PIXELS, y - _RING_PIXELS, x + _RING_PIXELS, y + _RING_PIXELS)
                draw.ellipse(spot, outline=_RING, width=2)
        y, x = (np.asarray(at_um)[list(across)] - low[list(across)]) * scale
        for line in (
            ((0, y), (picture.width, y)),
            ((x, 0), (x, picture.height)),
        ):
            draw.line(line, fill=_CROSS, width=1)


def colours_of(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return a colour per label, red, green, blue 0 to 255; always the same one."""
    hue = (labels.astype(np.uint64) * np.uint64(_FACTOR) % np.uint64(360)).astype(np.float64) / 60
    turn = (hue[..., np.newaxis] + np.asarray((5.0, 3.0, 1.0))) % 6
    light: NDArray[np.float64] = 255 * (1 - np.clip(np.minimum(turn, 4 - turn), 0, 1))
    return light


def _others(axis: int) -> tuple[int, int]:
    first, second = (a for a in range(3) if a != axis)
    return first, second


def _plane(level: Level, axis: int, at_um: Vector) -> Box:
    """Return the voxels of a level in the plane across an axis nearest to a place."""
    place = round((at_um[axis] - level.origin_um[axis]) / level.voxel_um[axis])
    number = min(max(place, 0), level.shape[axis] - 1)
    start, stop = [0, 0, 0], list(level.shape)
    start[axis], stop[axis] = number, number + 1
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
