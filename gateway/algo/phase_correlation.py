"""How far one overlap strip lies from another: windowed correlation and its odds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.algo.tile_overlap import Index

Strip = NDArray[np.float32]

SMALLEST_OVERLAP = 256
"""Voxels two strips must share before their correlation is believed."""
PEAKS = 6
"""Peaks kept of each surface."""
DISTINCT = 2
"""Voxels along some axis from which on two peaks are rivals and not one peak."""
_MEDIAN = 0.6745  # of the size of a standard normal deviate
_SURE = 0.5  # confidence at the sharpest scale that needs no second look
_CHANCE = 2.0  # what the best of few wrong places scores where the window is too small to tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A band of spatial detail, in voxels."""

    fine: float
    """Standard deviation of the smoothing that removes noise."""
    shade: int
    """Box whose mean counts as shading, not as content."""


SCALES = (Scale(fine=0.0, shade=3), Scale(fine=0.6, shade=5), Scale(fine=1.2, shade=9))
"""The sharpest tells displacements apart best, unless the optics blur it away: then all count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """One displacement under which two strips agree."""

    shift: Index
    """Displacement of the second strip in the first's frame, zyx, whole voxels."""
    correlation: float
    """Normalised cross-correlation on the true overlap."""
    score: float
    """The correlation in standard deviations of what chance gives in this window."""
    confidence: float
    """0 to 1: by how much the score beats that of the best rival in the window."""


def flatten_content(strip: NDArray[np.generic]) -> Strip:
    """Turn intensities into content of even variance.

    A hyperbolic arc-sine evens out shot noise and keeps a few bright cells from outvoting the
    rest; what is not finite counts as background.
    """
    values = np.asarray(strip, np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, np.median(values[finite]) if finite.any() else 0)
    sample = values[::2, ::2, ::2] if values.size > 1 << 16 else values
    low, middle, high = np.percentile(sample, (16, 50, 84))
    spread = float(high - low) / 2 or float(sample.std()) or 1.0
    even = np.arcsinh((values - np.float32(middle)) / np.float32(spread))
    return np.asarray(even, np.float32)


def keep_band(content: Strip, scale: Scale) -> Strip:
    """Return the detail of one scale: noise below it and shading above it removed."""
    from scipy import ndimage

    fine = content
    if scale.fine:
        fine = ndimage.gaussian_filter(content, scale.fine, mode="nearest", truncate=3.0)
    size = [min(scale.shade, n) for n in fine.shape]
    shade = ndimage.uniform_filter(fine, size, mode="nearest")
    shade = ndimage.uniform_filter(shade, size, mode="nearest")
    return np.asarray(fine - shade, np.float32)


def correlate_window(
    first: Strip, second: Strip, centre: Index, window: Index
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Correlate two strips over a window of displacements.

    The strips are zero-padded so that no displacement wraps around; sums over the true overlap
    make the cross-correlation exact for each (masked NCC, doi:10.1109/TIP.2011.2181402). The
    phase correlation comes from the same spectra (doi:10.1109/TASSP.1977.1162943).

    Args:
        first: Filtered strip, zyx.
        second: Filtered strip, zyx.
        centre: Displacement of the strips in the middle of the window.
        window: Displacements either way.

    Returns:
        NCC, phase correlation and shared voxels, each of shape `2 * window + 1`; NCC is 0 where
        too little is shared.
    """
    from scipy import fft

    lags = [np.arange(c - w, c + w + 1) for c, w in zip(centre, window, strict=True)]
    shape = [
        fft.next_fast_len(int(max(na, nb, nb + lag[-1], na - lag[0])), real=True)
        for na, nb, lag in zip(first.shape, second.shape, lags, strict=True)
    ]
    spectrum = fft.rfftn(first, shape) * np.conj(fft.rfftn(second, shape))
    wanted = np.ix_(*(lag % n for lag, n in zip(lags, shape, strict=True)))
    product = fft.irfftn(spectrum, shape)[wanted]
    magnitude = np.abs(spectrum)
    spectrum /= np.maximum(magnitude, np.float32(1e-3) * magnitude.mean() + np.float32(1e-20))
    phase = fft.irfftn(spectrum, shape)[wanted]

    count, sums = _overlap_sums(first, second, lags)
    first_sum, first_square, second_sum, second_square = sums
    whole = np.maximum(count, 1)
    energy = (first_square - first_sum**2 / whole) * (second_square - second_sum**2 / whole)
    shared = product - first_sum * second_sum / whole
    floor = 1e-6 * float(energy.max(initial=0.0)) + 1e-30
    ncc = np.where(energy > floor, shared / np.sqrt(np.maximum(energy, floor)), 0)
    ncc[~_enough(first.shape, second.shape, lags)] = 0
    return ncc.astype(np.float32), phase.astype(np.float32), count.astype(np.float32)


def find_peaks(first: Strip, second: Strip, centre: Index, window: Index) -> list[Peak]:
    """Return the displacements under which two strips agree, most believable first.

    Candidates are the highest places of the phase correlation and of the NCC's score; all are
    judged by the NCC on the true overlap, in standard deviations of the NCC across the window:
    once at the sharpest scale and, where that leaves doubt, by the sum over all scales. A peak
    keeps the better judgement.

    Args:
        first: Flattened strip, zyx.
        second: Flattened strip, zyx.
        centre: Displacement of the strips in the middle of the window.
        window: Displacements either way.
    """

    def correlate(scale: Scale) -> tuple[NDArray[np.float32], ...]:
        bands = keep_band(first, scale), keep_band(second, scale)
        return correlate_window(*bands, centre, window)

    corner = np.subtract(centre, window)
    ncc, phase, count = correlate(SCALES[0])
    score = _chance_score(ncc, count)
    places = _candidates(score, ncc, phase)
    peaks = _judge(score, ncc, places, corner)
    if peaks and peaks[0].confidence < _SURE:
        others = [correlate(scale) for scale in SCALES[1:]]
        together = score + np.sum([_chance_score(c[0], c[2]) for c in others], axis=0)
        places |= _candidates(together, *others[0][:2])
        peaks += _judge(together / _deviation(together), ncc, places, corner)
    return _distinct(peaks)


def _candidates(
    score: NDArray[np.float32], ncc: NDArray[np.float32], phase: NDArray[np.float32]
) -> set[Index]:
    believable = np.where(ncc > 0, phase, -np.inf).astype(np.float32)
    return {*_highest(score, PEAKS), *_highest(believable, PEAKS)}


def _judge(
    score: NDArray[np.float32],
    ncc: NDArray[np.float32],
    places: set[Index],
    corner: NDArray[np.int64],
) -> list[Peak]:
    kept: list[Index] = []
    for place in sorted(places, key=lambda p: (-score[p], p)):
        if score[place] > 0 and all(_apart(place, k) >= DISTINCT for k in kept):
            kept.append(place)
    peaks = []
    for place in kept[:PEAKS]:
        rival = max((float(score[p]) for p in kept if p != place), default=0.0)
        z, y, x = (int(v) for v in np.add(place, corner))
        own = float(score[place])
        peaks.append(
            Peak(
                shift=(z, y, x),
                correlation=float(ncc[place]),
                score=own,
                confidence=max(0.0, 1 - (rival + _CHANCE) / own),
            )
        )
    return peaks


def _distinct(peaks: list[Peak]) -> list[Peak]:
    """Sort by confidence, then score, and drop what lies beside a better peak."""
    kept: list[Peak] = []
    for peak in sorted(peaks, key=lambda p: (-p.confidence, -p.score, p.shift)):
        if all(_apart(peak.shift, k.shift) >= DISTINCT for k in kept):
            kept.append(peak)
    return kept


def _apart(one: Index, other: Index) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _chance_score(ncc: NDArray[np.float32], count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return NCC over its chance deviation, which falls with the shared voxels.

    Neighbouring voxels are not independent; the window itself shows by how much, since almost
    all of its displacements are wrong.
    """
    scaled = ncc * np.sqrt(count)
    signed = np.sign(ncc) * np.sqrt(-np.log1p(-np.minimum(ncc**2, np.float32(0.9999))))
    return np.asarray(signed * np.sqrt(count) / _deviation(scaled), np.float32)


def _deviation(surface: NDArray[np.float32]) -> np.float32:
    """Return the standard deviation of the wrong places of a surface."""
    judged = np.abs(surface[surface != 0])
    return np.float32(max(float(np.median(judged)) / _MEDIAN, 1e-9) if judged.size else 1.0)


def _highest(surface: NDArray[np.float32], most: int) -> list[Index]:
    """Return the highest local maxima of a surface; ties go to the first in C order."""
    from scipy import ndimage

    dome = ndimage.maximum_filter(surface, 3, mode="constant", cval=-np.inf)
    flat = np.flatnonzero((surface == dome) & np.isfinite(surface))
    order = flat[np.argsort(-surface.ravel()[flat], kind="stable")][:most]
    return [
        (int(z), int(y), int(x))
        for z, y, x in zip(*np.unravel_index(order, surface.shape), strict=True)
    ]


def _overlap_sums(
    first: Strip, second: Strip, lags: list[NDArray[np.int64]]
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    bounds = []
    for na, nb, lag in zip(first.shape, second.shape, lags, strict=True):
        start, stop = np.maximum(0, lag), np.minimum(na, lag + nb)
        bounds.append((start, np.maximum(start, stop), lag))
    extents = [stop - start for start, stop, _ in bounds]
    count = np.einsum("i,j,k->ijk", *(e.astype(float) for e in extents))
    in_first = [(start, stop) for start, stop, _ in bounds]
    in_second = [(start - lag, stop - lag) for start, stop, lag in bounds]
    sums = [
        _box_sums(values, spans)
        for strip, spans in ((first, in_first), (second, in_second))
        for values in (strip, strip * strip)
    ]
    return count, sums


def _box_sums(
    values: Strip, spans: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> NDArray[np.float64]:
    """Sum an array over the product of spans per axis, by running sums one axis at a time."""
    sums: NDArray[np.float64] = values.astype(np.float64)
    # the axis that shrinks most goes first
    order = sorted(range(3), key=lambda axis: len(spans[axis][0]) / values.shape[axis])
    for axis in order:
        start, stop = spans[axis]
        running = np.cumsum(sums, axis=axis)
        limit = values.shape[axis] - 1
        ends = np.take(running, np.clip(stop - 1, 0, limit), axis)
        begins = np.take(running, np.clip(start - 1, 0, limit), axis)
        # nothing lies before the first voxel, and an empty span sums to nothing
        shape = [1, 1, 1]
        shape[axis] = len(start)
        begins *= (start > 0).reshape(shape)
        sums = (ends - begins) * (stop > start).reshape(shape)
    return sums


def _enough(
    first: tuple[int, ...], second: tuple[int, ...], lags: list[NDArray[np.int64]]
) -> NDArray[np.bool_]:
    extents = [
        np.minimum(na, lag + nb) - np.maximum(0, lag)
        for na, nb, lag in zip(first, second, lags, strict=True)
    ]
    shared = np.einsum("i,j,k->ijk", *(np.maximum(e, 0).astype(float) for e in extents))
    return np.asarray(shared >= SMALLEST_OVERLAP)
