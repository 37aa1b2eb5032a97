"""A brain that never was: nuclei, vessels and haze with every centre known, and a microscope."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Triple = tuple[float, float, float]

# shares of the slab's height and width
_CORTEX_DEPTH = 0.42
_BAND_END = 0.92
_BLADE_HALF_WIDTH = 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticBrain:
    """A noiseless volume and what is in it."""

    photons: NDArray[np.float32]
    """Expected intensity, zyx."""
    centres_um: NDArray[np.float64]
    """Centre of each nucleus, one row zyx per nucleus, from the centre of voxel (0, 0, 0)."""
    diameters_um: NDArray[np.float64]


def make_brain(
    shape: tuple[int, int, int], *, voxel_um: Triple, count: int, diameter_um: float, seed: int
) -> SyntheticBrain:
    """Draw a slab of cortex over a curled band of packed nuclei, as in a hippocampus.

    Args:
        shape: Voxels, zyx.
        voxel_um: Voxel size, zyx.
        count: Nuclei wanted; fewer when they no longer fit without touching much.
        diameter_um: Mean diameter; each nucleus is an ellipsoid within 15 % of it.
        seed: Same seed, same brain.
    """
    random = np.random.default_rng(seed)
    voxel = np.asarray(voxel_um)
    extent = np.asarray(shape) * voxel
    centres = _scatter(random, extent, count, diameter_um)
    radii = diameter_um / 2 * random.uniform(0.85, 1.15, (len(centres), 3))
    heights = np.clip(random.lognormal(np.log(520), 0.35, len(centres)), 220, 1600)
    light = np.zeros(shape, np.float32)
    for centre, radius, height in zip(centres, radii, heights, strict=True):
        _add_nucleus(light, centre / voxel, radius / voxel, height)
    light = _blur(light, (0.9, 0.7, 0.7))
    light += _haze(random, shape)
    return SyntheticBrain(photons=light, centres_um=centres, diameters_um=2 * radii.mean(axis=1))


def expose(
    photons: NDArray[Any], *, gain: float, vignette: float, noise: float, seed: int
) -> NDArray[np.uint16]:
    """Photograph a tile: vignette, gain, photon and read noise.

    Args:
        photons: Expected intensity, zyx.
        gain: Brightness of this tile relative to the others.
        vignette: Share of the light lost in the corners of each plane.
        noise: Standard deviation of the read noise.
        seed: Same seed, same noise.
    """
    random = np.random.default_rng(seed)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in photons.shape[1:])
    fall = 1 - vignette * (y[:, None] ** 2 + x[None, :] ** 2) / 2
    seen = np.maximum(photons, 0) * (fall * gain)
    # four grey values per photon, as on a camera with some gain
    seen = random.poisson(seen / 4) * np.float32(4)
    seen += random.normal(0, noise, photons.shape).astype(np.float32)
    return np.asarray(np.clip(np.rint(seen), 0, 65535), np.uint16)


def _density(at: NDArray[Any]) -> NDArray[Any]:
    """Chance that a nucleus lies at relative positions `at` (rows zyx, 0 to 1)."""
    _, y, x = at.T
    surface = 0.06 + 0.05 * np.cos(3 * np.pi * x)
    depth = y - surface
    layers = 0.30 + 0.22 * np.cos(2 * np.pi * depth / 0.13)
    cortex = np.where((depth > 0) & (depth < _CORTEX_DEPTH), layers, 0.04)
    cortex = np.where(depth < 0, 0.0, cortex)
    radius = np.hypot((y - 0.80) / 0.22, (x - 0.48) / 0.34)
    angle = np.arctan2(y - 0.80, x - 0.48)
    band = np.exp(-(((radius - 1 - 0.05 * np.sin(3 * angle)) / 0.10) ** 2)) * (y < _BAND_END)
    blade = np.exp(-(((y - 0.86 - 0.10 * np.cos(5 * (x - 0.5))) / 0.035) ** 2))
    blade = blade * (np.abs(x - 0.52) < _BLADE_HALF_WIDTH)
    return np.asarray(np.clip(np.maximum(cortex, np.maximum(band, blade)), 0, 1))


def _scatter(
    random: np.random.Generator, extent: NDArray[Any], count: int, diameter_um: float
) -> NDArray[np.float64]:
    """Place nuclei by density, none nearer to another than its diameter less a little."""
    from scipy.spatial import cKDTree

    kept = np.empty((0, 3))
    for _ in range(60):
        tried = random.uniform(0, 1, (4 * count, 3))
        tried = tried[random.uniform(0, 1, len(tried)) < _density(tried)] * extent
        both = np.concatenate([kept, tried])
        free = np.ones(len(both), bool)
        # earlier rows win, so those kept stay
        for first, second in sorted(cKDTree(both).query_pairs(0.95 * diameter_um)):
            if free[first]:
                free[second] = False
        kept = both[free][:count]
        if len(kept) == count:
            break
    return kept


def _add_nucleus(
    light: NDArray[np.float32], centre: NDArray[Any], radius: NDArray[Any], height: float
) -> None:
    low = np.maximum(np.floor(centre - radius - 2).astype(int), 0)
    high = np.minimum(np.ceil(centre + radius + 3).astype(int), light.shape)
    if (low >= high).any():
        return
    axes = [
        ((np.arange(a, b) - c) / r) ** 2
        for a, b, c, r in zip(low, high, centre, radius, strict=True)
    ]
    distance = np.sqrt(axes[0][:, None, None] + axes[1][:, None] + axes[2])
    region = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    light[region] = np.maximum(light[region], height / (1 + np.exp((distance - 1) * 9)))


def _haze(random: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Out-of-focus light, darker along a few vessels and outside the tissue."""
    from scipy import ndimage

    coarse = random.uniform(60, 180, (3, 6, 6)).astype(np.float32)
    factors = [n / m for n, m in zip(shape, coarse.shape, strict=True)]
    haze = np.asarray(ndimage.zoom(coarse, factors, order=1))
    y, x = (np.linspace(0, 1, n, dtype=np.float32) for n in shape[1:])
    tissue = 1 / (1 + np.exp(-(y[:, None] - 0.06 - 0.05 * np.cos(3 * np.pi * x)) * 60))
    for _ in range(5):
        at, lean = random.uniform(0.1, 0.9), random.uniform(-0.25, 0.25)
        width = random.uniform(0.006, 0.012)
        course = at + lean * y + 0.015 * np.sin(9 * y + 7 * at)
        tissue = tissue * (1 - 0.55 * np.exp(-(((x[None, :] - course[:, None]) / width) ** 2)))
    result: NDArray[np.float32] = (100 + haze * tissue).astype(np.float32)
    return result


def _blur(volume: NDArray[np.float32], sigma: Triple) -> NDArray[np.float32]:
    from scipy import ndimage

    blurred: NDArray[np.float32] = ndimage.gaussian_filter(volume, sigma, truncate=3)
    return blurred
