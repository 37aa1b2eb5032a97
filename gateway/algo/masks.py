"""Masks of bright round things, grown along straight rays from their seeds to a bounded reach.

A voxel belongs to a seed if, on the way there, the image stays above about half the height
of the seed and never climbs out of a valley. Of several such seeds it goes to the one nearest
in units of their size, then to the lower id. No step depends on the order of seeds or voxels,
nor on anything further than the reach: the answer is the same in every block.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gateway.algo.gaussian import Kernels, half_kernels, smooth_valid, support
from gateway.algo.nodata import smooth_data

Shape = tuple[int, int, int]
Vector = tuple[float, float, float]

REACH = 0.75
"""Furthest voxel of a mask from its seed, in diameters."""
SMOOTH = 0.35
"""Gaussian before growing, as a part of the one that answers best to a solid ball."""
LEVEL = 0.6
"""Part of the height of a seed's inside above its background at which its mask ends; that of the
inside, not of the brightest point, keeps noise and bright grains out of it."""
LOWEST_CORE = 0.2
"""The inside counts as at least this part of the brightest point."""
CLIMB = 0.25
"""Part of that height by which the image may rise again on the way out."""

SMALLEST_UM = 1e-6
"""What counts as no size at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskShape:
    """Offsets a mask can have around its seed, in an order in which rays can be followed."""

    offsets: NDArray[np.int64]
    """Voxels from the seed, shape (n, 3), the seed first."""
    parents: NDArray[np.int64]
    """Index of the voxel before each on its ray."""
    distance_um: NDArray[np.float64]
    reach: Shape
    """Greatest offset per axis."""
    kernels: Kernels
    """The smoothing before growing."""

    @property
    def margin(self) -> Shape:
        """Voxels beyond a block that decide about the masks in it."""
        z, y, x = (r + s for r, s in zip(self.reach, support(self.kernels), strict=True))
        return z, y, x


@lru_cache(maxsize=4)
def mask_shape(diameter_um: float, voxel_um: Vector) -> MaskShape:
    """Prepare masks for nuclei of one diameter.

    Args:
        diameter_um: The diameter.
        voxel_um: Voxel size; infinite for an axis of a single voxel.
    """
    reach_um = REACH * diameter_um
    z, y, x = (math.floor(reach_um / v) for v in voxel_um)
    edges = np.asarray([v if math.isfinite(v) else 0.0 for v in voxel_um])
    axes = (np.arange(-r, r + 1) for r in (z, y, x))
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.sqrt(((offsets * edges) ** 2).sum(axis=1))
    steps = np.abs(offsets).max(axis=1)
    order = np.lexsort((*offsets.T[::-1], steps))
    order = order[distance[order] <= reach_um]
    offsets, distance, steps = offsets[order], distance[order], steps[order]
    shorter = (steps - 1) / np.maximum(steps, 1)
    before = np.rint(offsets * shorter[:, np.newaxis]).astype(np.int64)
    before[0] = 0
    index = np.full((2 * z + 1, 2 * y + 1, 2 * x + 1), -1, np.int64)
    index[tuple((offsets + np.asarray((z, y, x))).T)] = np.arange(len(offsets))
    return MaskShape(
        offsets=np.ascontiguousarray(offsets, np.int64),
        parents=index[tuple((before + np.asarray((z, y, x))).T)],
        distance_um=distance,
        reach=(z, y, x),
        kernels=half_kernels(SMOOTH * diameter_um / 2 / math.sqrt(3), voxel_um),
    )


def grow_masks(
    padded: NDArray[np.float32],
    start: Shape,
    size: Shape,
    seeds: dict[str, NDArray[Any]],
    mask: MaskShape,
    *,
    missing: NDArray[np.float32] | None = None,
) -> NDArray[np.uint32]:
    """Label the voxels of a block.

    Args:
        padded: `zyx` block with `mask.margin` more voxels on every side, mirrored at the faces.
        start: Position of the block (without margin) in the volume.
        size: Shape of the volume.
        seeds: `id` (1 and up), `z`, `y`, `x` (voxels), `peak`, `core`, `background` and
            `scale_um` of at least every seed within reach of the block.
        mask: What masks can look like.
        missing: 1 where `padded` holds no data, and 0 in it; 0 elsewhere. None: data everywhere.

    Returns:
        uint32 labels of the block, 0 outside all masks.
    """
    if missing is None:
        field = smooth_valid(padded, mask.kernels)
    else:
        field = _field_of_data(padded, missing, mask)
    origin = np.asarray(start) - np.asarray(mask.reach)
    where = np.floor(np.stack([seeds[a] for a in "zyx"], axis=1) + 0.5).astype(np.int64)
    where = np.clip(where, 0, np.asarray(size) - 1) - origin
    near = np.flatnonzero(np.all((where >= 0) & (where < field.shape), axis=1))
    peak = seeds["peak"] - seeds["background"]
    height = np.maximum(seeds["core"] - seeds["background"], LOWEST_CORE * peak)
    labels = np.zeros([n - 2 * r for n, r in zip(field.shape, mask.reach, strict=True)], np.uint32)
    _grow(
        field,
        where[near],
        seeds["id"][near].astype(np.uint32),
        (seeds["background"] + LEVEL * height)[near],
        (CLIMB * peak)[near],
        1.0 / np.maximum(seeds["scale_um"][near], SMALLEST_UM),
        (mask.offsets, mask.parents, mask.distance_um),
        (np.asarray(mask.reach), -origin, np.asarray(size) - origin),
        np.full(labels.shape, np.inf, np.float32),
        labels,
    )
    return labels


def _field_of_data(
    padded: NDArray[np.float32], missing: NDArray[np.float32], mask: MaskShape
) -> NDArray[np.float32]:
    """Smooth the data; no mask grows where it is missing, as that is darker than anything."""
    field = smooth_data(padded, missing, mask.kernels)
    z, y, x = support(mask.kernels)
    depth, height, width = field.shape
    field[missing[z : z + depth, y : y + height, x : x + width] > 0] = -np.inf
    field[np.isnan(field)] = -np.inf
    return field


@njit(cache=True, nogil=True)
def _grow(  # noqa: PLR0917 - kernels take no keywords
    field: Any, where: Any, ids: Any, level: Any, climb: Any, weight: Any,
    rays: Any, bounds: Any, cost: Any, labels: Any,
) -> None:  # fmt: skip
    offsets, parents, distance = rays
    reach, first, last = bounds
    lowest = np.empty(len(offsets), np.float64)
    for n in range(len(where)):
        for k in range(len(offsets)):
            z, y, x = (
                where[n, 0] + offsets[k, 0],
                where[n, 1] + offsets[k, 1],
                where[n, 2] + offsets[k, 2],
            )
            before = lowest[parents[k]] if k else np.inf
            lowest[k] = -np.inf
            if before == -np.inf or z < first[0] or y < first[1] or x < first[2]:
                continue
            if z >= last[0] or y >= last[1] or x >= last[2] or z < 0 or y < 0 or x < 0:
                continue
            if z >= field.shape[0] or y >= field.shape[1] or x >= field.shape[2]:
                continue
            value = np.float64(field[z, y, x])
            if k and (value < level[n] or value - before > climb[n]):
                continue
            lowest[k] = min(before, value)
            z, y, x = z - reach[0], y - reach[1], x - reach[2]
            if z < 0 or y < 0 or x < 0:
                continue
            if z >= cost.shape[0] or y >= cost.shape[1] or x >= cost.shape[2]:
                continue
            price = np.float32(distance[k] * weight[n])
            if price < cost[z, y, x] or (price == cost[z, y, x] and ids[n] < labels[z, y, x]):
                cost[z, y, x] = price
                labels[z, y, x] = ids[n]
