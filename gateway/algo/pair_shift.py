"""From two overlap strips to the displacements that may be theirs, refined and ranked."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.algo.phase_correlation import (
    SCALES,
    find_peaks,
    flatten_content,
)
from gateway.algo.shift_refinement import refine_shift
from gateway.algo.tile_overlap import Index

CANDIDATES = 6
"""Displacements kept per pair: the best, and rivals that the whole grid may prove right."""
_WORTH = 0.4  # of the best score: below it a peak is not refined
_UNREFINED = 0.5  # voxels: deviation of a peak the fit could not refine


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One displacement that a pair of strips may have."""

    shift: tuple[float, float, float]
    """Displacement of the second strip in the first's frame, voxels, zyx."""
    deviation: tuple[float, float, float]
    """Standard deviation per axis, voxels."""
    correlation: float
    """Normalised cross-correlation on the true overlap."""
    score: float
    """The correlation in standard deviations of chance."""
    confidence: float
    """0 to 1: by how much it beats its best rival."""

    def moved(self, offset: Index) -> "Candidate":
        """Return the same as a displacement of tiles whose strips are offset against each other."""
        z, y, x = np.subtract(self.shift, offset).tolist()
        return replace(self, shift=(z, y, x))


def measure_shift(
    first: NDArray[np.generic], second: NDArray[np.generic], centre: Index, window: Index
) -> list[Candidate]:
    """Return the displacements under which two strips may agree, most believable first.

    Args:
        first: Voxels of the first tile's strip, zyx, any dtype.
        second: Voxels of the second tile's strip.
        centre: Expected displacement of the strips, zyx.
        window: How far to search either way.
    """
    content = (flatten_content(first), flatten_content(second))
    best = find_peaks(content[0], content[1], centre, window)[:CANDIDATES]
    candidates = []
    for peak in best:
        worth = peak.score >= _WORTH * best[0].score
        fit = refine_shift(content[0], content[1], peak.shift, SCALES[1]) if worth else None
        z, y, x = fit.shift if fit else map(float, peak.shift)
        candidates.append(
            Candidate(
                shift=(z, y, x),
                deviation=fit.deviation if fit else (_UNREFINED,) * 3,
                correlation=peak.correlation,
                score=peak.score,
                confidence=peak.confidence,
            )
        )
    return candidates
