"""Measure objects: size, place and intensities of every label of a volume."""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.algo.moments import Steps, block_moments, describe_powers, merge_moments
from gateway.errors import CallError, FormatError
from gateway.toolkit.define import tool
from gateway.toolkit.passes import Arrays, Blocks, Pass, Passes, Work
from gateway.toolkit.ports import Image, Labels, Points
from gateway.toolkit.spec import Example
from gateway.volumes.source import Source

_SAME_UM = 1e-4
_EXTRA_BYTES = 12
"""Numbers of labels, and float32 intensities as whole numbers, per voxel."""


class Measured(NamedTuple):
    """What was measured.

    Attributes:
        regions: One row per label, at its centre: label, volume_voxels, volume_um3, diameter_um
            (of the sphere of that volume), bounding box z_start to x_stop (voxels, half-open),
            and per channel mean, std, skewness and kurtosis.
    """

    regions: Points


@tool(
    version="1.0.0",
    image="brain-gateway/tools",
    edam=("operation_3443",),
    doi=("10.1111/1467-9884.00122",),
    examples=(
        Example(
            inputs={"labels": "two_blobs_labels", "image": "two_channels"},
            params={"channels": ("nuclei",)},
            expect={
                "regions": "blake3:799729d45b1c6e4b84a98ee01c2356d5546a2723fc85bae152a8aa791219edef"
            },
        ),
        Example(
            inputs={"labels": "two_blobs_labels"},
            params={},
            expect={
                "regions": "blake3:71a9ab65b32acef8c8c6227faeb7f5d8500b01cb53e1841cbd55afadb7c76b6a"
            },
        ),
    ),
)
def measure_regions(
    labels: Labels,
    image: Image | None = None,
    *,
    channels: tuple[str, ...] | None = None,
) -> Passes[Measured]:
    """Measure size, place and intensities of every label.

    All sums are exact, so the table does not depend on how the volume is cut. Intensities of
    float32 images are first rounded to 2^-20 of the range of the image. Skewness and kurtosis
    are 0 for a normal distribution, and NaN for an object of one intensity.

    Args:
        labels: The objects; 0 is background.
        image: The intensities, on the same grid; without it only size and place are measured.
        channels: Names of the channels to measure; all of them where not given.
    """
    _check_grids(labels, image)
    chosen = _channel_numbers(image, channels)
    grid = Blocks(grid=labels.info, read_unit=labels.read_unit)
    pixel = np.dtype(labels.info.dtype).itemsize
    pixel += np.dtype(image.info.dtype).itemsize if image is not None else 0
    passes = [
        Pass(
            name="sums",
            work=_sum_block,
            over=grid,
            merge=_merge_sums,
            bytes_per_voxel=float(pixel + _EXTRA_BYTES),
        )
    ]
    if chosen and image is not None and image.info.dtype == "float32":
        ranges = Pass(
            name="range",
            work=_range_block,
            over=Blocks(grid=labels.info, read_unit=image.read_unit),
            merge=_merge_ranges,
            bytes_per_voxel=8.0,
        )
        passes.insert(0, ranges)
    return Passes(passes=tuple(passes), tables={"regions": _table})


def _check_grids(labels: Source, image: Source | None) -> None:
    if image is None:
        return
    if labels.info.shape != image.info.shape:
        raise CallError(
            f"labels have the shape {labels.info.shape}, but the image has {image.info.shape} "
            "(zyx); measure labels on the image they were made from"
        )
    if not np.allclose(labels.info.voxel_um, image.info.voxel_um, rtol=_SAME_UM):
        raise CallError(
            f"voxels of the labels are {labels.info.voxel_um} µm, but those of the image "
            f"{image.info.voxel_um} µm (zyx); measure labels on the image they were made from"
        )


def _channel_numbers(image: Source | None, channels: tuple[str, ...] | None) -> tuple[int, ...]:
    names = [channel.name for channel in image.info.channels] if image is not None else []
    wanted = names if channels is None else channels
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise CallError(
            f"channels: there is no channel {unknown[0]!r}; there is {', '.join(names) or 'none'}"
        )
    if channels is None:
        return tuple(range(len(names)))
    return tuple(names.index(name) for name in dict.fromkeys(wanted))


def _chosen(work: Work) -> tuple[int, ...]:
    return _channel_numbers(work.inputs.get("image"), getattr(work.params, "channels", None))


def _range_block(work: Work) -> Arrays:
    image = work.inputs["image"]
    lowest, highest = [], []
    for channel in _chosen(work):
        voxels = image.read(work.box, channel=channel)
        low, high = float(voxels.min()), float(voxels.max())
        if not np.isfinite([low, high]).all():
            raise FormatError(
                f"channel {image.info.channels[channel].name!r} of the image holds values that "
                f"are not finite in {work.box}; replace them before measuring"
            )
        lowest.append(low)
        highest.append(high)
    return {"low": np.array([lowest]), "high": np.array([highest])}


def _merge_ranges(blocks: Iterable[Arrays], _work: Work) -> Arrays:
    found = list(blocks)
    low = np.concatenate([block["low"] for block in found]).min(axis=0, keepdims=True)
    high = np.concatenate([block["high"] for block in found]).max(axis=0, keepdims=True)
    return {"low": low, "high": high}


def _sum_block(work: Work) -> Arrays:
    labels = work.inputs["labels"].read(work.box, channel=0)
    readers = [
        partial(_read_counts, work, place, channel) for place, channel in enumerate(_chosen(work))
    ]
    return block_moments(labels, work.box.start, readers)


def _read_counts(work: Work, place: int, channel: int) -> NDArray[Any]:
    voxels = work.inputs["image"].read(work.box, channel=channel)
    return _steps(work, place).count(voxels)


def _steps(work: Work, place: int) -> Steps:
    """Return what whole numbers stand for; `place` is that among the chosen channels."""
    dtype = work.inputs["image"].info.dtype
    if dtype != "float32":
        return Steps.of(dtype)
    known = work.state["range"]
    return Steps.of(dtype, float(known["low"][0, place]), float(known["high"][0, place]))


def _merge_sums(blocks: Iterable[Arrays], _work: Work) -> Arrays:
    return merge_moments(blocks)


def _table(work: Work) -> Arrays:
    state, info = work.state["sums"], work.inputs["labels"].info
    voxels = state["sizes"]
    centre = state["sums"] / voxels[:, np.newaxis]
    columns: dict[str, NDArray[Any]] = {}
    for axis, name in enumerate("zyx"):
        columns[f"{name}_um"] = info.origin_um[axis] + info.voxel_um[axis] * centre[:, axis]
    volume = voxels * float(np.prod(info.voxel_um))
    columns["label"] = state["label"].astype(info.dtype)
    columns["volume_voxels"] = voxels
    columns["volume_um3"] = volume
    # Rounded, because the cube roots of two machines may differ in the last bit.
    columns["diameter_um"] = np.round(np.cbrt(volume * (6 / np.pi)), 6)
    for axis, name in enumerate("zyx"):
        columns[f"{name}_start"] = state["start"][:, axis]
        columns[f"{name}_stop"] = state["stop"][:, axis]
    for place, channel in enumerate(_chosen(work)):
        told = describe_powers(state["powers"][:, place], voxels, _steps(work, place))
        name = _column_name(work.inputs["image"], channel)
        columns |= {
            f"{what}_{name}": column
            for what, column in zip(("mean", "std", "skewness", "kurtosis"), told, strict=True)
        }
    return columns


def _column_name(image: Source, channel: int) -> str:
    """Return the name of a channel, with its number where two have the same."""
    names = [item.name for item in image.info.channels]
    name = names[channel]
    return name if names.count(name) == 1 else f"{name}#{channel}"
