"""Find nuclei: bright round objects of about one diameter, as points and, if wanted, masks."""

import math
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gateway.algo.blobs import COLUMNS, BlobFilter, blob_filter, find_blobs
from gateway.algo.coarse_grid import CoarseGrid, bin_voxels, coarse_grid, mirror, spread_bins
from gateway.algo.masks import MaskShape, grow_masks, mask_shape
from gateway.algo.nodata import (
    Lowest,
    bin_data,
    fill_value,
    join_lowest,
    lowest_levels,
    may_have_gap,
)
from gateway.algo.noise import SIZES, add_surveys, noise_curve, survey
from gateway.algo.nuclei_choice import choose_nuclei
from gateway.errors import CallError, FormatError
from gateway.toolkit.define import tool
from gateway.toolkit.passes import Arrays, Blocks, Pass, Passes, Work
from gateway.toolkit.ports import Image, Labels, Points
from gateway.toolkit.spec import Example
from gateway.volumes.box import Box, Shape
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.source import Source

_SURVEY_BYTES = 16.0
_FIND_BYTES = 36.0
"""Two filters, their difference and what they are made from, all float32, and the voxels read."""
_MASK_BYTES = 24.0
_FEWEST_VOXELS = 2
"""Voxels across a nucleus below which there is nothing to fit."""
_MOST_VOXELS = 400
_MASK_WIDTH = 16
"""Bins across a nucleus that are fine enough for its mask."""


_HALF = 0.5


class _Bins(NamedTuple):
    """Averages of bins and, where there is a fill, the bins and the voxels that are missing."""

    mean: NDArray[np.float32]
    missing: NDArray[np.float32] | None
    box: Box
    empty: NDArray[np.bool_] | None


class Nuclei(NamedTuple):
    """What was found.

    Attributes:
        nuclei: One row per nucleus, at its centre: label, intensity (smoothed, at the centre),
            contrast (intensity above the light around it) and scale_um (its diameter where the
            smoothed intensity is half the contrast).
        labels: A mask per nucleus, by its label.
    """

    nuclei: Points
    labels: Labels | None


@tool(
    version="1.0.0",
    image="brain-gateway/tools",
    edam=("operation_3443", "topic_3382"),
    doi=("10.1098/rspb.1980.0020", "10.1023/A:1008045108935"),
    examples=(
        Example(
            inputs={"image": "two_blobs"},
            params={"diameter_um": 30.0},
            expect={"nuclei": "", "labels": ""},
        ),
    ),
)
def detect_nuclei(
    image: Image,
    *,
    diameter_um: Annotated[float, Field(gt=0, le=10000)],
    sensitivity: Annotated[float, Field(ge=0.1, le=10)] = 1.0,  # noqa: ARG001 - read in the merge
    channel: Annotated[int, Field(ge=0, le=1000)] | str = 0,
) -> Passes[Nuclei]:
    """Find nuclei, or other bright round objects of about one diameter.

    Differences of Gaussians at two scales around the diameter answer to nuclei; the threshold
    follows from the noise, the background and the nuclei themselves, so an offset or a gain of
    the camera changes nothing. Masks grow from each centre to about half the contrast, and never
    further than three quarters of a diameter. The result does not depend on how the volume is
    cut. A lowest value that a gap of empty grey levels parts from the data, in pieces larger than
    nuclei, is taken for the fill of a stitched or turned volume: nothing is found in it. A texture
    of the size of nuclei, with as many dark spots as bright ones, holds none.

    Args:
        image: The volume; nuclei are brighter than what is around them.
        diameter_um: Typical diameter of a nucleus; within 20 % is near enough.
        sensitivity: Above 1 finds fainter nuclei, and more that are none; below 1 fewer of both.
        channel: Number (from 0) or name of the channel.
    """
    channel_number(image.info, channel)
    _check_diameter(image.info, diameter_um)
    return Passes(passes=_passes(image, diameter_um), tables={"nuclei": _table})


def _passes(image: Source, diameter_um: float) -> tuple[Pass, ...]:
    info, unit = image.info, image.read_unit
    grid, blob = _filters(info, diameter_um)
    find_z, find_y, find_x = (f * (m + 1) for f, m in zip(grid.factor, blob.margin, strict=True))
    labels = VolumeInfo(
        kind="labels",
        dtype="uint32",
        shape=info.shape,
        voxel_um=info.voxel_um,
        origin_um=info.origin_um,
        channels=(Channel(name="nuclei"),),
    )
    mask_halo = _mask_halo(info, diameter_um)
    return (
        Pass(
            name="survey",
            work=_survey,
            over=Blocks(grid=info, halo_voxels=grid.factor, read_unit=unit),
            merge=_merge_surveys,
            bytes_per_voxel=_SURVEY_BYTES,
        ),
        Pass(
            name="find",
            work=_find,
            over=Blocks(grid=info, halo_voxels=(find_z, find_y, find_x), read_unit=unit),
            merge=_merge_found,
            bytes_per_voxel=_FIND_BYTES,
        ),
        Pass(
            name="mask",
            work=_mask,
            over=Blocks(grid=labels, halo_voxels=mask_halo, read_unit=unit),
            writes="labels",
            needed_for=("labels",),
            bytes_per_voxel=_MASK_BYTES,
        ),
    )


def channel_number(info: VolumeInfo, channel: int | str) -> int:
    """Return the index of a channel given by number or name.

    Raises:
        CallError: There is no such channel; names those there are.
    """
    names = [item.name for item in info.channels]
    if isinstance(channel, str) and channel in names:
        return names.index(channel)
    if isinstance(channel, int) and channel < len(names):
        return channel
    raise CallError(
        f"detect_nuclei: parameter 'channel' is {channel!r}; the image has "
        f"{', '.join(f'{n} ({name})' for n, name in enumerate(names))}"
    )


def _check_diameter(info: VolumeInfo, diameter_um: float) -> None:
    finest = min(v for v, n in zip(info.voxel_um, info.shape, strict=True) if n > 1 or v)
    across = diameter_um / finest
    if across < _FEWEST_VOXELS:
        raise CallError(
            f"detect_nuclei: parameter 'diameter_um' is {diameter_um}, which is {across:.2g} "
            f"voxels of {finest} um; nuclei need {_FEWEST_VOXELS} voxels or more: give at least "
            f"{_FEWEST_VOXELS * finest:g}, or use a finer image"
        )
    if across > _MOST_VOXELS:
        raise CallError(
            f"detect_nuclei: parameter 'diameter_um' is {diameter_um}, which is {across:.4g} "
            f"voxels of {finest} um; give at most {_MOST_VOXELS * finest:g}, or a coarser level"
        )


def _filters(info: VolumeInfo, diameter_um: float) -> tuple[CoarseGrid, BlobFilter]:
    grid = coarse_grid(info.shape, info.voxel_um, diameter_um)
    return grid, blob_filter(diameter_um, grid.voxel_um, grid.shape)


def _mask_filters(info: VolumeInfo, diameter_um: float) -> tuple[CoarseGrid, MaskShape]:
    grid = coarse_grid(info.shape, info.voxel_um, diameter_um, width=_MASK_WIDTH)
    edges = zip(grid.voxel_um, grid.shape, strict=True)
    z, y, x = (v if n > 1 else math.inf for v, n in edges)
    return grid, mask_shape(diameter_um, (z, y, x))


def _mask_halo(info: VolumeInfo, diameter_um: float) -> Shape:
    grid, mask = _mask_filters(info, diameter_um)
    z, y, x = (f * (m + 1) for f, m in zip(grid.factor, mask.margin, strict=True))
    return z, y, x


def _settings(work: Work) -> tuple[Source, int, float, float]:
    image, params = work.inputs["image"], work.params.model_dump()
    number = channel_number(image.info, params["channel"])
    return image, number, params["diameter_um"], params["sensitivity"]


def _read(work: Work, start: Shape, stop: Shape) -> NDArray[Any]:
    image, channel, *_ = _settings(work)
    box = Box(start, stop)
    voxels = image.read(box, channel=channel)
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        place = np.argwhere(~np.isfinite(voxels))[0] + start
        raise FormatError(
            f"voxel {tuple(place.tolist())} (zyx) of channel {image.info.channels[channel].name!r}"
            " is not a finite number; replace such voxels before detecting nuclei"
        )
    return voxels


def _read_bins(work: Work, grid: CoarseGrid, start: Shape, stop: Shape) -> _Bins:
    """Read a box of bins that may stick out of the volume."""
    low, high = grid.reach(start, stop)
    box = grid.voxels(low, high)
    voxels, fill = _read(work, *box), work.state["survey"]["fill"]
    if fill.size:
        empty = voxels == voxels.dtype.type(fill[0])
        if empty.any():
            mean, part = bin_data(voxels, grid.factor, fill)
            missing = (part < _HALF).astype(np.float32)
            bins, hole = (mirror(b, low, start, stop, grid.shape) for b in (mean, missing))
            return _Bins(bins, hole, Box(*box), empty)
    bins = bin_voxels(voxels, grid.factor)
    return _Bins(mirror(bins, low, start, stop, grid.shape), None, Box(*box), None)


def _survey(work: Work) -> Arrays:
    info = work.inputs["image"].info
    grid, _ = _filters(info, _settings(work)[2])
    start, stop = grid.core(work.box.start, work.box.stop)
    axis = max(range(3), key=lambda a: (grid.shape[a] > 2, a))  # noqa: PLR2004 - two neighbours
    first, last = list(start), list(stop)
    first[axis] = max(start[axis], 1)
    last[axis] = min(stop[axis], grid.shape[axis] - 1)
    if any(b <= a for a, b in zip(start, stop, strict=True)):
        return {}
    low, high = _around(start, stop, (1, 1, 1))
    near, far = grid.reach(low, high)
    box = Box(*grid.voxels(near, far))
    voxels, own = _read(work, box.start, box.stop), Box(*grid.voxels(start, stop))
    lowest = lowest_levels(voxels, *_within(own, box))
    columns: dict[str, NDArray[Any]] = {
        "levels": lowest.levels,
        "at_lowest": np.asarray((lowest.count, *lowest.faces), np.int64),
    }
    if any(b <= a for a, b in zip(first, last, strict=True)):
        return columns
    z, y, x = first
    low, high = _around((z, y, x), (last[0], last[1], last[2]), (1, 1, 1))
    bins = mirror(bin_voxels(voxels, grid.factor), near, low, high, grid.shape)
    columns |= survey(bins, (z, y, x), axis)
    if may_have_gap(lowest.levels, whole=voxels.dtype.kind in "iu"):
        _, part = bin_data(voxels, grid.factor, lowest.levels)
        bins[mirror(part, near, low, high, grid.shape) < 1] = np.nan
        columns |= {f"data_{k}": v for k, v in survey(bins, (z, y, x), axis).items()}
    return columns


def _around(start: Shape, stop: Shape, margin: Shape) -> tuple[Shape, Shape]:
    (a, b, c), (i, j, k), (z, y, x) = start, stop, margin
    return (a - z, b - y, c - x), (i + z, j + y, k + x)


def _within(own: Box, box: Box) -> tuple[Shape, Shape]:
    (a, b, c), (i, j, k), (z, y, x) = own.start, own.stop, box.start
    return (a - z, b - y, c - x), (i - z, j - y, k - x)


def _merge_surveys(blocks: Iterable[Arrays], work: Work) -> Arrays:
    """Recognise the fill, if there is one; the noise is that of the data alone."""
    found = [b for b in blocks if b]
    lowest = [Lowest(levels=b["levels"], count=c, faces=(z, y, x)) for b in found
              for c, z, y, x in [b["at_lowest"].tolist()]]  # fmt: skip
    info = work.inputs["image"].info
    fill = fill_value(join_lowest(lowest), info.shape, info.voxel_um, _settings(work)[2])
    keys, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for block in found:
        held = fill.size and block["levels"][0] == fill[0]
        prefix = "data_" if held else ""
        if "key" in block and (not held or "data_key" in block):
            keys.append(block[f"{prefix}key"])
            counts.append(block[f"{prefix}count"])
    total = add_surveys(np.concatenate(keys), np.concatenate(counts))
    return {"curve": noise_curve(total["key"], total["count"]), "fill": fill}


def _find(work: Work) -> Arrays:
    info = work.inputs["image"].info
    grid, blob = _filters(info, _settings(work)[2])
    start, stop = grid.core(work.box.start, work.box.stop)
    if any(b <= a for a, b in zip(start, stop, strict=True)):
        empty: dict[str, NDArray[Any]] = {name: np.zeros(0) for name in COLUMNS}
        return empty | {"texture": np.zeros(2 * SIZES, np.int64), "black": np.zeros(0, np.float32)}
    bins = _read_bins(work, grid, *_around(start, stop, blob.margin))
    curve = work.state["survey"]["curve"]
    found = find_blobs(bins.mean, start, grid.shape, blob, curve, missing=bins.missing)
    if bins.empty is None:
        return found
    centres = _centres(grid, found)
    place = np.rint(centres).astype(np.int64) - bins.box.start
    data = ~bins.empty[tuple(place.T)]
    return found | {name: found[name][data] for name in COLUMNS}


def _centres(grid: CoarseGrid, blobs: Arrays) -> NDArray[np.float64]:
    """Return the positions of blobs in voxels, none outside the volume."""
    centres = grid.centres(np.stack([blobs[a] for a in "zyx"], axis=1))
    return np.asarray(np.clip(centres, 0, np.asarray(grid.full_shape) - 1), np.float64)


def _merge_found(blocks: Iterable[Arrays], work: Work) -> Arrays:
    """Choose the nuclei among the blobs of all blocks, and number them in the order z, y, x."""
    found = list(blocks)
    blobs = {name: np.concatenate([b[name] for b in found]) for name in COLUMNS}
    texture = np.asarray(np.sum([b["texture"] for b in found], axis=0), np.int64)
    black = np.concatenate([b["black"] for b in found])
    chosen = choose_nuclei(
        blobs,
        texture,
        black=float(black.min()),
        sensitivity=_settings(work)[3],
    )
    blobs = {name: column[chosen] for name, column in blobs.items()}
    grid, _ = _filters(work.inputs["image"].info, _settings(work)[2])
    centres = _centres(grid, blobs)
    order = np.lexsort(centres.T[::-1])
    result: dict[str, NDArray[Any]] = {a: centres[order, n] for n, a in enumerate("zyx")}
    for name in ("peak", "core", "background", "scale_um"):
        result[name] = blobs[name][order]
    return result


def _mask(work: Work) -> Arrays:
    info = work.inputs["image"].info
    grid, mask = _mask_filters(info, _settings(work)[2])
    start, stop = grid.cover(work.box.start, work.box.stop)
    seeds = _seeds(work, grid, start, stop, mask.reach)
    if seeds["id"].size == 0:
        return {"voxels": np.zeros(work.box.shape, np.uint32)}
    bins = _read_bins(work, grid, *_around(start, stop, mask.margin))
    labels = grow_masks(bins.mean, start, grid.shape, seeds, mask, missing=bins.missing)
    voxels = spread_bins(labels, start, grid.factor, work.box.start, work.box.stop)
    if bins.empty is not None:
        low, high = _within(work.box, bins.box)
        voxels[bins.empty[Box(low, high).slices()]] = 0
    return {"voxels": voxels}


def _seeds(
    work: Work, grid: CoarseGrid, start: Shape, stop: Shape, reach: Shape
) -> dict[str, NDArray[Any]]:
    """Return the nuclei that may reach into a box of bins, placed in bins."""
    found = work.state["find"]
    low = grid.centres(np.asarray([start], np.float64) - reach - 2)[0]
    high = grid.centres(np.asarray([stop], np.float64) + reach + 2)[0]
    first, last = np.searchsorted(found["z"], (low[0], high[0]))
    near = np.ones(last - first, bool)
    for axis, name in ((1, "y"), (2, "x")):
        place = found[name][first:last]
        near &= (place >= low[axis]) & (place <= high[axis])
    index = np.flatnonzero(near) + first
    seeds = {name: column[index] for name, column in found.items()}
    bins = grid.bins(np.stack([seeds[a] for a in "zyx"], axis=1))
    return seeds | {a: bins[:, n] for n, a in enumerate("zyx")} | {"id": index + 1}


def _table(work: Work) -> Arrays:
    found, info = work.state["find"], work.inputs["image"].info
    columns: dict[str, NDArray[Any]] = {
        f"{axis}_um": info.origin_um[n] + info.voxel_um[n] * found[axis]
        for n, axis in enumerate("zyx")
    }
    columns["label"] = np.arange(1, found["z"].size + 1, dtype=np.uint32)
    columns["intensity"] = found["peak"].astype(np.float32)
    columns["contrast"] = (found["peak"] - found["background"]).astype(np.float32)
    columns["scale_um"] = found["scale_um"].astype(np.float32)
    return columns
