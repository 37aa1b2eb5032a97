"""Bright blobs of about one size: maxima of differences of Gaussians over place and two scales.

Every number depends on the volume near the blob only, so any block gives the same bits.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.algo._blob_kernels import STEPS, find_maxima, keep_strongest, shape_at, shoot_rays
from gateway.algo.gaussian import Kernels, dot, half_kernels, smooth_valid, support
from gateway.algo.nodata import smooth_data, smooth_filled
from gateway.algo.noise import count_sizes, level_of

Shape = tuple[int, int, int]
Vector = tuple[float, float, float]
Fields = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Response, narrow and wide Gaussian of a block with `near` voxels around it."""

NARROW = (0.7, 1.05)
"""Narrow Gaussians, as parts of the one that answers best to a solid ball: the smaller parts
neighbours that touch, the greater keeps large nuclei whole."""
WEIGHT = (1.0, 0.87)
"""Of the two responses: greater blobs answer slightly more for the same contrast."""
RATIO = 1.6
"""The wide Gaussian over the narrow one (doi:10.1098/rspb.1980.0020)."""
CROWDING = 0.75
"""Two blobs are nearer than this part of the sum of their radii only if one is an artefact."""
FAINTEST = 4.0
"""Standard deviations of the response below which a maximum is not looked at."""
ROUNDING = 1e-5
"""Part of the grey level that float32 sums may be wrong by."""

COLUMNS = ("z", "y", "x", "response", "peak", "core", "surround", "background", "noise",
           "scale_um", "roundness")  # fmt: skip
"""What is known of a blob; positions are in bins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFilter:
    """The filters for one diameter on one grid."""

    diameter_um: float
    voxel_um: Vector
    """Infinite for an axis of a single voxel."""
    scales: tuple[tuple[Kernels, Kernels], ...]
    """Narrow and wide, from the smallest scale up."""

    @property
    def near(self) -> Shape:
        """Voxels within a diameter, and one more: what is looked at around a maximum."""
        z, y, x = (math.ceil(self.diameter_um / v) + 1 for v in self.voxel_um)
        return z, y, x

    @property
    def margin(self) -> Shape:
        """Voxels beyond a block that decide about the blobs in it."""
        widest = support(self.scales[-1][1])
        z, y, x = (n + s for n, s in zip(self.near, widest, strict=True))
        return z, y, x

    @property
    def edges_um(self) -> NDArray[np.float64]:
        """Voxel size, with 0 for an axis that does not count."""
        return np.asarray([v if math.isfinite(v) else 0.0 for v in self.voxel_um])


def blob_filter(diameter_um: float, voxel_um: Vector, shape: Shape) -> BlobFilter:
    """Build the filters; axes of a single voxel are left alone, so planes are seen as planes."""
    z, y, x = (v if n > 1 else math.inf for v, n in zip(voxel_um, shape, strict=True))
    edges = (z, y, x)
    best = diameter_um / 2 / math.sqrt(3)
    return BlobFilter(
        diameter_um=diameter_um,
        voxel_um=edges,
        scales=tuple(
            (half_kernels(part * best, edges), half_kernels(RATIO * part * best, edges))
            for part in NARROW
        ),
    )


def noise_gain(narrow: Kernels, wide: Kernels) -> float:
    """Return the standard deviation of a difference of Gaussians of white noise of 1."""
    pairs = ((narrow, narrow), (narrow, wide), (wide, wide))
    a, b, c = (math.prod(map(dot, first, second)) for first, second in pairs)
    return math.sqrt(max(0.0, a - 2 * b + c))


def find_blobs(
    padded: NDArray[np.float32],
    start: Shape,
    size: Shape,
    blob: BlobFilter,
    curve: NDArray[np.float32],
    *,
    missing: NDArray[np.float32] | None = None,
) -> dict[str, NDArray[Any]]:
    """Find the blobs whose brightest bin lies in a block.

    Args:
        padded: `zyx` block with `blob.margin` more voxels on every side, mirrored at the faces.
        start: Position of the block (without margin) in the volume.
        size: Shape of the volume.
        blob: The filters.
        curve: Noise of one voxel at each grey level.
        missing: 1 where `padded` holds no data, and 0 in it; 0 elsewhere. None: data everywhere.

    Returns:
        The float64 arrays of `COLUMNS`, one row per blob in C order; and for the whole block
        `texture` (counts of the size of the response) and `black` (its lowest surround; empty
        where all is missing).
    """
    near = np.asarray(blob.near)
    origin = np.asarray(start) - near
    found = []
    holes = _cut(missing, blob, blob.near) if missing is not None else None
    for scale, fields in enumerate(_responses(padded, blob, missing)):
        inside = tuple(slice(n, p - n) for n, p in zip(near, fields[0].shape, strict=True))
        if scale == 0:
            absent = None if holes is None else holes[inside] > 0
            texture = count_sizes(fields[0][inside], np.asarray(start), absent)
            black = _darkest(fields[2][inside], absent)
            ground = fields[1]
        where = find_maxima(fields[0], origin, np.asarray(size))
        if holes is not None:
            where = where[holes[tuple(where.T)] == 0]
        found.append(_visible(where, fields, blob, scale, curve))
    joined = {name: np.concatenate([f[name] for f in found]) for name in found[0]}
    radius = np.asarray(NARROW) * blob.diameter_um / 2 * CROWDING
    alone = keep_strongest(
        joined["where"], joined["response"], joined["level"], blob.edges_um, radius, near
    )
    inside_low, inside_high = near, np.asarray(ground.shape) - near
    where = joined["where"]
    alone &= np.all((where >= inside_low) & (where < inside_high), axis=1)
    order = np.flatnonzero(alone)[np.lexsort(where[alone].T[::-1])]
    chosen = {name: column[order] for name, column in joined.items()}
    columns = _measure(chosen, ground, origin, blob)
    return columns | {"texture": texture, "black": black}


def _responses(
    padded: NDArray[np.float32], blob: BlobFilter, missing: NDArray[np.float32] | None
) -> Iterator[Fields]:
    """Yield the fields of each scale, `near` voxels wider than the block.

    What is missing counts as the mean of the data around it, as the wide Gaussian sees it; where
    even that sees none the response is 0 and the others are NaN.
    """
    for kernels in blob.scales:
        reaches = [tuple(map(sum, zip(blob.near, support(k), strict=True))) for k in kernels]
        first, second = (_cut(padded, blob, r) for r in reaches)
        if missing is None:
            narrow, wide = smooth_valid(first, kernels[0]), smooth_valid(second, kernels[1])
            yield narrow - wide, narrow, wide
            continue
        wide = smooth_data(second, _cut(missing, blob, reaches[1]), kernels[1])
        narrow = smooth_filled(first, _cut(missing, blob, reaches[0]), kernels[0], wide)
        response = narrow - wide
        response[np.isnan(response)] = 0
        yield response, narrow, wide


def _cut(padded: NDArray[np.float32], blob: BlobFilter, reach: Any) -> NDArray[np.float32]:
    """Return a block with less than `blob.margin` around it."""
    off = [m - r for m, r in zip(blob.margin, reach, strict=True)]
    cut = tuple(slice(o, p - o) for o, p in zip(off, padded.shape, strict=True))
    return np.asarray(padded[cut], np.float32)


def _darkest(wide: NDArray[np.float32], absent: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Return the lowest value where there is data, shape (1,); or (0,) where there is none."""
    if absent is None:
        return np.asarray(wide.min(keepdims=True).reshape(1), np.float32)
    present = wide[~absent & ~np.isnan(wide)]
    return np.asarray(present.min(keepdims=True) if present.size else present, np.float32)


def _visible(
    where: NDArray[np.int64],
    fields: Fields,
    blob: BlobFilter,
    scale: int,
    curve: NDArray[np.float32],
) -> dict[str, NDArray[Any]]:
    """Drop the maxima in the noise; describe the others."""
    response, narrow, wide = (f[tuple(where.T)].astype(np.float64) for f in fields)
    gain = noise_gain(*blob.scales[scale])
    limit = np.maximum(
        FAINTEST * gain * curve[level_of(wide)].astype(np.float64),
        ROUNDING * np.maximum(abs(narrow), abs(wide)),
    )
    seen = response >= limit
    where = where[seen]
    offset, roundness = shape_at(fields[0], where, blob.edges_um)
    return {
        "where": where,
        "offset": offset,
        "level": np.full(len(where), scale),
        "response": response[seen] * WEIGHT[scale],
        "noise": limit[seen] / FAINTEST * WEIGHT[scale],
        "surround": wide[seen],
        "roundness": roundness,
    }


def _measure(
    blobs: dict[str, NDArray[Any]],
    ground: NDArray[np.float32],
    origin: NDArray[np.int64],
    blob: BlobFilter,
) -> dict[str, NDArray[Any]]:
    """Give the columns of blobs, looking around them in the finest smoothed field."""
    where = blobs["where"]
    rays = shoot_rays(ground, where, _ray_steps(blob))
    columns: dict[str, NDArray[Any]] = {
        name: where[:, axis] + origin[axis] + blobs["offset"][:, axis]
        for axis, name in enumerate("zyx")
    }
    columns["peak"] = ground[tuple(where.T)].astype(np.float64)
    columns["background"] = rays[:, 0]
    columns["core"] = rays[:, 2]
    columns["scale_um"] = rays[:, 1] * 2 * blob.diameter_um / STEPS
    for name in ("response", "noise", "surround", "roundness"):
        columns[name] = blobs[name]
    return {name: columns[name] for name in COLUMNS}


def _ray_steps(blob: BlobFilter) -> NDArray[np.float64]:
    """Return the 26 directions to a voxel's neighbours, round in micrometres, that count."""
    used = [math.isfinite(v) for v in blob.voxel_um]
    ways = [w for w in product((-1, 0, 1), repeat=3) if any(w)]
    ways = [w for w in ways if all(u or not s for u, s in zip(used, w, strict=True))] or [(0, 0, 0)]
    rays = np.asarray(ways, np.float64)
    length = np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1.0)
    return np.asarray(rays / length * (blob.diameter_um / STEPS) / np.asarray(blob.voxel_um))
