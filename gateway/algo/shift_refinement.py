"""The sub-voxel part of a displacement, by symmetric least squares, and how sure it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.algo.phase_correlation import Scale, Strip, keep_band
from gateway.algo.tile_overlap import Index

ROUNDS = 4
SETTLED = 2e-3
FARTHEST = 1.5
"""Voxels from the whole-voxel peak beyond which the fit has lost it."""
TRIM = 2
"""Voxels at the faces of the overlap that spline and gradient need; 1 where it is thin."""
_THIN = 9
_FLAT = 4  # an axis with fewer voxels is not refined
_UNKNOWN = 0.5  # deviation along such an axis
LARGEST = 2_000_000
"""Voxels fitted at most; a larger overlap is cut to its middle."""
_NARROW = 3.0  # voxels^3: bias seen where an axis of the overlap is that thin, by its square
_RELATED = 8.0  # voxels that carry one independent value after the filters


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A refined displacement."""

    shift: tuple[float, float, float]
    deviation: tuple[float, float, float]
    """Standard deviation per axis in voxels, from the residual and the texture."""


def refine_shift(first: Strip, second: Strip, shift: Index, scale: Scale) -> Fit | None:
    """Refine the displacement of two strips to a fraction of a voxel.

    Gauss-Newton on the difference of the overlap (doi:10.1023/B:VISI.0000011205.11775.fd), made
    symmetric so that noise does not pull the answer to whole or half voxels: each strip moves by
    half the fraction with a cubic spline, the residual meets the mean of both gradients, and the
    normal matrix multiplies the gradients of one with those of the other, whose noise is
    independent.

    Args:
        first: Flattened strip, zyx.
        second: Flattened strip, zyx.
        shift: Displacement of the second strip, whole voxels.
        scale: The detail that is compared.

    Returns:
        The refined displacement, or None where the overlap is too thin, has no texture, or the
        fit runs away.
    """
    # cut first, filter then: the faces of the overlap are the same scene in both strips, those of
    # the tiles are not, and what a filter invents beyond a face must be the same in both
    cut = _overlap(first, second, shift)
    if cut is None:
        return None
    one, other = (_spline(keep_band(c, scale)) for c in cut)
    free = [axis for axis, n in enumerate(one.shape) if n >= _FLAT]
    core = tuple(_inner(n) for n in one.shape)
    fraction, deviation = np.zeros(3), np.full(3, _UNKNOWN)
    for _ in range(ROUNDS if free else 0):
        step = _step(_shifted(one, fraction / 2), _shifted(other, -fraction / 2), core, free)
        if step is None:
            return None
        moved, deviation[free] = step
        fraction[free] += moved / max(1.0, float(np.abs(moved).max()))
        if np.abs(fraction).max() > FARTHEST:
            return None
        if np.abs(moved).max() < SETTLED:
            break
    # few voxels across a face leave a bias that no residual shows
    deviation = np.hypot(deviation, _NARROW / np.square(one.shape))
    z, y, x = np.add(shift, fraction).tolist()
    dz, dy, dx = deviation.tolist()
    return Fit(shift=(z, y, x), deviation=(dz, dy, dx))


def _overlap(first: Strip, second: Strip, shift: Index) -> tuple[Strip, Strip] | None:
    start = np.maximum(0, shift)
    stop = np.minimum(first.shape, np.add(shift, second.shape))
    if (stop - start < 1).any():
        return None
    while np.prod(stop - start) > LARGEST:
        longest = int((stop - start).argmax())
        quarter = (stop - start)[longest] // 4
        start[longest] += quarter
        stop[longest] -= quarter
    spans = list(zip(start.tolist(), stop.tolist(), shift, strict=True))
    one = first[tuple(slice(a, b) for a, b, _ in spans)]
    other = second[tuple(slice(a - s, b - s) for a, b, s in spans)]
    return one, other


def _spline(strip: Strip) -> Strip:
    from scipy import ndimage

    coefficients = strip
    for axis, count in enumerate(strip.shape):
        if count >= _FLAT:
            coefficients = ndimage.spline_filter1d(
                coefficients, 3, axis, output=np.float32, mode="nearest"
            )
    return coefficients


def _inner(count: int) -> slice:
    if count < _FLAT:
        return slice(None)
    trim = TRIM if count >= _THIN else 1
    return slice(trim, count - trim)


def _shifted(spline: Strip, by: NDArray[np.float64]) -> Strip:
    """Evaluate cubic spline coefficients at every voxel plus `by`, |by| < 1, axis by axis."""
    from scipy import ndimage

    moved = spline
    for axis, distance in enumerate(by.tolist()):
        if moved.shape[axis] < _FLAT:
            continue
        # weights of the voxels -2 … 2 for a point at `distance`; one of the ends is zero
        weights = _bspline(np.arange(-2, 3) - distance)
        moved = ndimage.correlate1d(moved, weights, axis, mode="nearest")
    return np.asarray(moved, np.float32)


def _bspline(at: NDArray[np.float64]) -> NDArray[np.float64]:
    far = np.abs(at)
    near = 2 / 3 - far**2 + far**3 / 2
    return np.where(far < 1, near, np.where(far < 2, (2 - far) ** 3 / 6, 0.0))  # noqa: PLR2004


def _step(
    one: Strip, other: Strip, core: tuple[slice, ...], free: list[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    from scipy import ndimage

    values, slopes = [], []
    for strip in (one, other):
        inner = strip[core].ravel()
        values.append(inner - inner.mean())
        gradient = []
        for axis in free:
            slope = ndimage.correlate1d(strip, (-0.5, 0.0, 0.5), axis, mode="nearest")
            gradient.append(slope[core].ravel())
        slopes.append(np.stack(gradient))
    energy = [float(np.vdot(v, v)) for v in values]
    if min(energy) <= 0:
        return None
    gain = np.float32(np.sqrt(energy[0] / energy[1]))
    residual = values[0] - gain * values[1]
    cross = slopes[0] @ (gain * slopes[1]).T
    normal = (cross + cross.T) / 2
    mean_slope = (slopes[0] + gain * slopes[1]) / 2
    if np.linalg.eigvalsh(normal)[0] <= 1e-4 * np.trace(normal):
        return None
    moved = -np.linalg.solve(normal.astype(float), (mean_slope @ residual).astype(float))
    variance = float(np.vdot(residual, residual)) / residual.size * _RELATED
    deviation = np.sqrt(variance * np.diag(np.linalg.inv(normal.astype(float))))
    return moved, deviation
