"""Whether the voxels of a volume can be seen: content, contrast, files, levels that agree."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import CorruptionError, GatewayError, NotFoundError
from gateway.service.view.contrast import sample_boxes, sample_channel
from gateway.service.view.findings import Finding, good, perhaps, wrong
from gateway.volumes.box import Box, Shape
from gateway.volumes.integrity import check_lost_shard
from gateway.volumes.layout import shard_boxes
from gateway.volumes.volume import Volume

_SHOWN_DTYPES = frozenset(
    {"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32"}
)
_MOST_SHARDS = 2000
_MOST_SHARDS_REMOTE = 64
_MOST_CHANNELS = 16
_COMPARED_VOXELS = 2_000_000
_DARK, _FULL = 0.02, 0.98


def check_dtype(volume: Volume, where: str) -> Iterator[Finding]:
    """Check that the viewer's graphics can take the voxels."""
    if volume.info.dtype not in _SHOWN_DTYPES:
        yield wrong(
            "dtype",
            where,
            f"voxels of type {volume.info.dtype} cannot be drawn in a browser",
            "convert it: `gateway ingest … --dtype float32`",
        )


def check_content(volume: Volume, where: str) -> Iterator[Finding]:
    """Check each channel: whether there is anything in it, and whether its window meets it."""
    for number, channel in enumerate(volume.info.channels[:_MOST_CHANNELS]):
        place = f"{where}, channel {number} ({channel.name})"
        if volume.info.kind == "labels":
            place = where
        try:
            values = sample_channel(volume, number)
            if values.size and values.min() == values.max() and _has_more(volume):
                values = sample_channel(volume, number, level=0)
        except CorruptionError as error:
            yield wrong("damaged", place, str(error), "restore the file, or make the volume again")
            continue
        yield from _judge(values, volume, number, place)


def check_shards(volume: Volume, where: str) -> Iterator[Finding]:
    """Check that the files the record knows are there; what is missing shows as black."""
    info = volume.info
    if info.digest is None:
        return
    lost = []
    for number, level in enumerate(info.levels):
        places = [
            (time, channel, box)
            for time, channel, box in product(
                range(info.times), range(len(info.channels)), shard_boxes(level)
            )
        ]
        step = max(1, len(places) // _most(volume))
        try:
            lost += [
                (number, channel, box)
                for time, channel, box in places[::step]
                if check_lost_shard(volume, number, time, channel, box)
            ]
        except (NotFoundError, CorruptionError) as error:
            yield perhaps("record", f"{where}, level {number}", str(error), "see `gateway verify`")
    if lost:
        number, channel, box = lost[0]
        yield wrong(
            "missing",
            f"{where}, level {number}, channel {channel}, box {box}",
            f"{len(lost)} files of voxels are gone, which shows as black",
            "restore them, or make the volume again: `gateway verify` names every one",
        )
    else:
        yield good("shards", where, "all files of voxels that were looked for are there")


def check_agreement(volume: Volume, where: str) -> Iterator[Finding]:
    """Check that coarse levels look like level 0: a stale one shows another picture."""
    if volume.info.kind == "labels":
        return
    for number in range(1, len(volume.info.levels)):
        for channel in range(min(len(volume.info.channels), _MOST_CHANNELS)):
            try:
                fine, coarse = _same_place(volume, number, channel)
            except GatewayError:
                return  # told by the check of the content
            spread = float(fine.std()) + abs(float(fine.mean())) * 0.02 + 0.5
            apart = abs(float(fine.mean()) - float(coarse.mean()))
            if apart > spread * 0.25 + 0.5:
                yield wrong(
                    "levels-differ",
                    f"{where}, level {number}, channel {channel}",
                    f"its mean is {coarse.mean():.4g} where level 0 has {fine.mean():.4g}: zoomed "
                    "out one sees another picture",
                    "the coarse levels are stale: make the volume again from level 0",
                )
                return


def _judge(values: NDArray[Any], volume: Volume, number: int, place: str) -> Iterator[Finding]:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        yield wrong("not-finite", place, "every voxel is NaN or infinite", _MAKE_AGAIN)
        return
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        yield wrong("empty", place, f"every voxel looked at is {low:g}: there is nothing to see",
                    _MAKE_AGAIN)  # fmt: skip
        return
    if volume.info.kind == "labels":
        share = float(np.count_nonzero(finite)) / finite.size
        yield good("content", place, f"{share:.1%} of the voxels carry a label")
        return
    window = volume.info.channels[number].window
    if window is None:
        yield good("content", place, f"values from {low:g} to {high:g}")
        return
    yield from _judge_window(window, finite, place)


def _judge_window(
    window: tuple[float, float], values: NDArray[Any], place: str
) -> Iterator[Finding]:
    start, end = window
    low, high = float(values.min()), float(values.max())
    said = f"the contrast runs from {start:g} to {end:g}, the data from {low:g} to {high:g}"
    advice = 'press "Contrast: auto", or set the window of the channel'
    width = end - start
    if width <= 0:
        yield wrong("window-empty", place, f"{said}: nothing lies between", advice)
    elif high <= start or low >= end:
        shade = "black" if high <= start else "full colour"
        yield wrong("window-outside", place, f"{said}: all of it shows as {shade}", advice)
    elif (np.percentile(values, 99.9) - start) / width < _DARK:
        yield wrong("window-wide", place, f"{said}: nearly all of it shows as black", advice)
    elif (np.percentile(values, 0.1) - start) / width > _FULL:
        yield wrong("window-low", place, f"{said}: nearly all of it shows as full colour", advice)
    else:
        yield good("contrast", place, said)


def _same_place(volume: Volume, number: int, channel: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read a box of a coarse level and the same place of level 0."""
    level, base = volume.info.levels[number], volume.info.levels[0]
    factor = level.factor
    most = max(1, _COMPARED_VOXELS // int(np.prod(factor)))
    boxes = sample_boxes(level.shape, level.chunk, most)
    box = boxes[len(boxes) // 2]
    start = tuple(a * f for a, f in zip(box.start, factor, strict=True))
    stop = tuple(min(b * f, n) for b, f, n in zip(box.stop, factor, base.shape, strict=True))
    fine = Box(_shape(start), _shape(stop))
    return (
        volume.read(fine, level=0, channel=channel).astype(np.float32),
        volume.read(box, level=number, channel=channel).astype(np.float32),
    )


def _has_more(volume: Volume) -> bool:
    return len(volume.info.levels) > 1


def _most(volume: Volume) -> int:
    here = volume.store.local_path(volume.key) is not None
    return _MOST_SHARDS if here else _MOST_SHARDS_REMOTE


def _shape(values: tuple[int, ...]) -> Shape:
    z, y, x = values
    return (z, y, x)


_MAKE_AGAIN = "look at what made it: `gateway show REF` names the run, its inputs and settings"
