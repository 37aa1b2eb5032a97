"""Which blobs are nuclei: thresholds that follow from noise, texture and the blobs themselves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.algo.noise import dark_share, median_size

NOISE = 6.0
"""Standard deviations of the response above which noise yields no maximum in a whole brain."""
WEBER = 0.1
"""Response over the light around it: below this, a ripple of the tissue."""
TEXTURE = 8.0
"""Response over its own spread in the whole volume, where nuclei are sparse."""
CROWDED = 9.0
"""... which they are not where a bright nucleus is less than about this many spreads: there the
spread is that of the nuclei, and the limit falls with the square of the ratio."""
EVEN = 0.7
"""Dark spots over bright ones, both about as strong as a bright nucleus: above this, what looks
like crowded nuclei is texture, which has as many of one as of the other. Bright slabs have about
half as many, nuclei next to none."""
EVEN_SIZE = 0.7
"""... counted from this part of the response of a bright nucleus."""
FLOOR = 0.12
"""Response over that of the typical nucleus: below it, out-of-focus light and debris."""
_SPREAD = 1.4826  # standard deviation over median absolute value, of a normal distribution
ROUND = 0.2
"""Second largest curvature over the largest: below it, the face of a slab or a seam."""


def choose_nuclei(
    blobs: dict[str, NDArray[Any]],
    sizes: NDArray[np.int64],
    *,
    black: float,
    sensitivity: float = 1.0,
) -> NDArray[np.bool_]:
    """Tell nuclei from ripples, whatever the offset and gain of the camera.

    Args:
        blobs: Columns of `find_blobs`.
        sizes: Counts of the response in the whole volume, of `count_sizes`.
        black: The lowest surround in the volume.
        sensitivity: Divides the thresholds.

    Returns:
        True for the nuclei.
    """
    response = blobs["response"]
    limit = np.maximum(NOISE * blobs["noise"], WEBER * (blobs["surround"] - black))
    chosen = (response * sensitivity >= limit) & (blobs["roundness"] >= ROUND)
    bright = typical(response[chosen], 2)
    even = dark_share(sizes, EVEN_SIZE * bright) > EVEN
    spread = _SPREAD * median_size(sizes)
    chosen &= response * sensitivity >= texture_limit(bright, spread, even=even)
    chosen &= response * sensitivity >= FLOOR * typical(response[chosen], 1)
    return np.asarray(chosen, np.bool_)


def texture_limit(bright: float, spread: float, *, even: bool = False) -> float:
    """Return the response that a ripple of the tissue may reach.

    Args:
        bright: Response of a bright nucleus.
        spread: Standard deviation of the response in the whole volume.
        even: There are about as many dark spots as bright ones, so nothing is crowded.
    """
    if spread <= 0:
        return 0.0
    if even:
        return spread * TEXTURE
    return spread * min(TEXTURE, (bright / spread / CROWDED) ** 2)


def typical(response: NDArray[np.float64], power: int) -> float:
    """Return the median weighted by a power of the value itself; 0 for none."""
    if response.size == 0:
        return 0.0
    ordered = np.sort(response)
    total = np.cumsum(ordered**power)
    return float(ordered[np.searchsorted(total, total[-1] / 2)])
