"""Whether a thing lies where one looks for it: voxel size, extent, levels, its neighbours."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.service.view.findings import Finding, good, perhaps, wrong
from gateway.service.view.states import Placed
from gateway.volumes.model import VolumeInfo

_SMALLEST_UM, _LARGEST_UM = 1e-3, 1e4
_WIDEST_UM = 1e6
"""A metre: no brain is wider."""
_FLATTEST = 100.0
_SLACK = 0.02
_SET_AGAIN = (
    "ingest it again with the voxel size the microscope says: `gateway ingest … --voxel-um Z,Y,X`"
)


def check_scale(info: VolumeInfo, where: str) -> Iterator[Finding]:
    """Check voxel size and extent."""
    um = np.asarray(info.voxel_um)
    extent = um * np.asarray(info.shape)
    size = " x ".join(f"{v:g}" for v in um)
    if np.all(um == 1.0):
        yield perhaps(
            "scale-default",
            where,
            "the voxel size is exactly 1 x 1 x 1 µm, which is what metadata that say nothing give",
            f"if that is not what the microscope did, {_SET_AGAIN}",
        )
    elif um.min() < _SMALLEST_UM or um.max() > _LARGEST_UM:
        yield wrong("scale-absurd", where, f"the voxel size {size} µm is no microscope's: a unit "
                    "was taken for another", _SET_AGAIN)  # fmt: skip
    elif extent.max() > _WIDEST_UM:
        yield wrong(
            "extent-absurd",
            where,
            f"it would be {extent.max() / 1e6:.3g} m long: a unit was taken for another",
            _SET_AGAIN,
        )
    elif um.max() / um.min() > _FLATTEST:
        yield perhaps(
            "scale-uneven",
            where,
            f"the voxel size {size} µm differs more than {_FLATTEST:.0f} times between axes: seen "
            "from the side the volume is a line",
            _SET_AGAIN,
        )
    else:
        yield good("scale", where, f"voxels of {size} µm, {_across(extent)} across")


def check_levels(info: VolumeInfo, where: str) -> Iterator[Finding]:
    """Check that the coarse levels cover the same place as level 0."""
    base = info.levels[0]
    whole = np.asarray(base.shape) * np.asarray(base.voxel_um)
    for number, level in enumerate(info.levels[1:], start=1):
        um = np.asarray(level.voxel_um)
        covered = np.asarray(level.shape) * um
        if np.any(np.abs(covered - whole) > np.maximum(um, whole * _SLACK)):
            yield wrong(
                "levels-extent",
                f"{where}, level {number}",
                f"it covers {_across(covered)}, level 0 covers {_across(whole)}: zoomed out, the "
                "picture lies elsewhere or is distorted",
                "its metadata are wrong: make the levels again by ingesting level 0",
            )


def check_neighbours(item: Placed, others: Sequence[Placed], where: str) -> Iterator[Finding]:
    """Check that it meets the largest image of its dataset, where the view begins."""
    images = [
        other
        for other in others
        if other.entry.kind == "image" and other.entry != item.entry and other.low_um is not None
    ]
    if not images or item.low_um is None or item.high_um is None:
        return
    low, high = np.asarray(item.low_um), np.asarray(item.high_um)
    for other in images:
        start, stop = np.asarray(other.low_um), np.asarray(other.high_um)
        if np.all((low <= stop) & (high >= start)):
            return
    name = images[0].entry.ref.name
    start, stop = np.asarray(images[0].low_um), np.asarray(images[0].high_um)
    yield wrong(
        "apart",
        where,
        f"it lies at {_box(low, high)}, wholly outside the image {name} at {_box(start, stop)}",
        _apart_advice(high - low, low, stop),
    )


def _apart_advice(
    extent: NDArray[np.float64],
    low: NDArray[np.float64],
    stop: NDArray[np.float64],
) -> str:
    if np.all(np.abs(low) + extent < stop * 0.01):
        return "the positions look like millimetres; they must be in micrometres: multiply by 1000"
    return (
        "positions must be micrometres in the space of the image, not voxels: multiply them by the "
        "voxel size and add the origin"
    )


def _across(extent: NDArray[np.float64]) -> str:
    return " x ".join(f"{v:.4g}" for v in extent) + " µm"


def _box(low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
    parts = ", ".join(
        f"{axis} {a:.4g} to {b:.4g}" for axis, a, b in zip("zyx", low, high, strict=True)
    )
    return f"{parts} µm"
