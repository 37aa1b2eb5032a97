"""Small pictures of volumes and tables, seen from above."""

import io
import math

import numpy as np
from numpy.typing import NDArray

from gateway.algo.pictures import choose_window, scale_to_bytes
from gateway.errors import CallError
from gateway.volumes.box import Box
from gateway.volumes.columns import POSITION
from gateway.volumes.model import Channel, Level
from gateway.volumes.points import PointsTable
from gateway.volumes.volume import Volume

WIDTH, HEIGHT = 480, 360
"""A picture has no more pixels: twice what a card shows, for dense screens."""
_SLAB_VOXELS = 8_000_000
_MOST_VOXELS = 64_000_000
"""Of one channel; where a level that will do has more, slabs at equal distances are read."""
_CHANNELS = 4
_FALLBACK = ("00FF00", "FF00FF", "00A0FF", "FFB000")
"""Colours of channels of which none has a colour of its own."""
_WHITE = "FFFFFF"
_DOTS_BELOW = 20_000
"""With fewer points each is drawn two pixels wide, since single ones would hardly be seen."""
_GLOW = np.array([0.45, 0.85, 1.0])


def draw_volume(volume: Volume) -> bytes:
    """Draw a maximum projection of an image, or the labels that lie uppermost, as a PNG.

    Raises:
        CallError: Even its coarsest level is too large.
        CorruptionError: A chunk cannot be decoded.
    """
    number = _choose_level(volume)
    level = volume.info.levels[number]
    if volume.info.kind == "labels":
        pixels = _colour_labels(_project(volume, number, 0, labels=True))
    else:
        channels = volume.info.channels[:_CHANNELS]
        colours = _colours(channels)
        mixed = np.zeros((*level.shape[1:], 3), np.float32)
        for index, (channel, colour) in enumerate(zip(channels, colours, strict=True)):
            plane = _project(volume, number, index, labels=False)
            finite = plane[np.isfinite(plane)]
            window = channel.window or (choose_window(finite) if finite.size else (0.0, 1.0))
            mixed += scale_to_bytes(np.nan_to_num(plane), window)[..., None] / 255.0 * colour
        pixels = np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8)
    return _encode(pixels, level.voxel_um[1:], smooth=volume.info.kind == "image")


def draw_points(points: PointsTable) -> bytes:
    """Draw how densely points lie, seen from above, as a PNG."""
    bounds = points.bounds_um
    if bounds is None:
        return _encode(np.zeros((HEIGHT, WIDTH, 3), np.uint8), (1.0, 1.0), smooth=False)
    spans = [max(high - low, 1e-6) for low, high in zip(bounds[0][1:], bounds[1][1:], strict=True)]
    zoom = min(HEIGHT / spans[0], WIDTH / spans[1])
    shape = [max(8, round(span * zoom)) for span in spans]
    edges = [(low, low + span) for low, span in zip(bounds[0][1:], spans, strict=True)]
    counts = np.zeros(shape)
    for piece in points.pieces(POSITION[1:]):
        y_um, x_um = (piece[name] for name in POSITION[1:])
        counts += np.histogram2d(y_um, x_um, bins=shape, range=edges)[0]
    if points.count < _DOTS_BELOW:
        counts = np.maximum.reduce(
            [counts, np.roll(counts, 1, 0), np.roll(counts, 1, 1), np.roll(counts, (1, 1), (0, 1))]
        )
    top = float(np.percentile(counts[counts > 0], 95)) if (counts > 0).any() else 1.0
    share = np.clip(counts / max(top, 1.0), 0, 1) ** 0.6
    pixels = np.rint(share[..., None] * _GLOW * 255).astype(np.uint8)
    return _encode(pixels, (1.0, 1.0), smooth=False)


def _choose_level(volume: Volume) -> int:
    """Return the coarsest level that still has as many pixels as the picture.

    Where it is too deep to be read whole, the next one shows more of the truth than every other
    slab of it, and takes a tenth of the time.
    """
    levels = volume.info.levels
    fine = [i for i, level in enumerate(levels) if _fills(level)]
    number = fine[-1] if fine else 0
    deep = math.prod(levels[number].shape) > _MOST_VOXELS
    return number + 1 if deep and number + 1 < len(levels) else number


def _fills(level: Level) -> bool:
    return level.shape[1] >= HEIGHT or level.shape[2] >= WIDTH


def _project(volume: Volume, number: int, channel: int, *, labels: bool) -> NDArray[np.generic]:
    """Look at one channel of a level from above, slab by slab.

    Raises:
        CallError: A plane is too large to be read for a picture.
    """
    depth, height, width = volume.info.levels[number].shape
    if height * width > _MOST_VOXELS:
        raise CallError(
            f"no picture is made of {volume.key}: a plane of its coarsest level has "
            f"{height} x {width} voxels; make levels of it with the tool downsample"
        )
    thick, step = _slabs(volume.info.levels[number])
    seen: NDArray[np.generic] | None = None
    for start in range(0, depth, step):
        box = Box((start, 0, 0), (min(depth, start + thick), height, width))
        slab = volume.read(box, level=number, channel=channel)
        top = _uppermost(slab) if labels else np.fmax.reduce(slab, axis=0)
        if seen is None:
            seen = top
        else:
            seen = np.where(seen == 0, top, seen) if labels else np.fmax(seen, top)
    if seen is None:
        seen = np.zeros((height, width), volume.info.dtype)
    return seen


def _slabs(level: Level) -> tuple[int, int]:
    """Return how thick slabs are and how far apart: no chunk is decoded for two of them."""
    depth, height, width = level.shape
    unit = min(level.chunk[0], depth)
    planes = max(1, _MOST_VOXELS // (height * width))
    if depth <= planes:
        thick = max(unit, _SLAB_VOXELS // (height * width) // unit * unit)
        return thick, thick
    thick = unit if unit <= planes else 1
    step = -(-depth * thick // planes)
    return thick, -(-step // unit) * unit


def _uppermost(slab: NDArray[np.generic]) -> NDArray[np.generic]:
    first = (slab != 0).argmax(axis=0)
    found: NDArray[np.generic] = np.take_along_axis(slab, first[None], axis=0)[0]
    return found


def _colours(channels: tuple[Channel, ...]) -> list[NDArray[np.float32]]:
    """Return red, green and blue of each channel."""
    codes = [channel.colour for channel in channels]
    if len(codes) > 1 and all(code.upper() == _WHITE for code in codes):
        codes = list(_FALLBACK[: len(codes)])
    return [np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], "f4") for code in codes]


def _colour_labels(labels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Give each label a bright colour that its id decides; none is black."""
    ids = labels.astype(np.uint64)
    mixed = (ids * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    hue = (mixed % np.uint64(360)).astype(np.float32) / 60
    light = 0.75 + 0.25 * ((mixed // np.uint64(360)) % np.uint64(8)).astype(np.float32) / 7
    bands = [np.clip(np.abs((hue + shift) % 6 - 3) - 1, 0, 1) for shift in (0, 4, 2)]
    pixels = np.stack([(0.25 + 0.75 * band) * light for band in bands], axis=-1)
    pixels[ids == 0] = 0
    return np.asarray(np.rint(pixels * 255), np.uint8)


def _encode(pixels: NDArray[np.uint8], voxel_um: tuple[float, float], *, smooth: bool) -> bytes:
    """Return a PNG in which a micrometre is as long down as across."""
    from PIL import Image  # noqa: PLC0415 - 0.1 s that only those who draw pay

    height_um, width_um = (n * um for n, um in zip(pixels.shape[:2], voxel_um, strict=True))
    zoom = min(WIDTH / width_um, HEIGHT / height_um)
    size = (max(1, round(width_um * zoom)), max(1, round(height_um * zoom)))
    how = Image.Resampling.LANCZOS if smooth else Image.Resampling.BOX
    if not smooth and size[0] > pixels.shape[1]:
        how = Image.Resampling.NEAREST
    picture = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, how)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
