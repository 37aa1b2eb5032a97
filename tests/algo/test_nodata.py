"""The fill of a volume: recognised by gap and by size, and left out of every average."""

import numpy as np
import pytest

from gateway.algo.coarse_grid import bin_voxels
from gateway.algo.gaussian import half_kernels, smooth_valid, support
from gateway.algo.nodata import (
    bin_data,
    fill_value,
    join_lowest,
    lowest_levels,
    smooth_data,
    smooth_filled,
)
from gateway.volumes.box import Box, cut_boxes

UM = (2.0, 1.0, 1.0)


def tissue(shape=(30, 60, 70), offset=100):
    random = np.random.default_rng(3)
    return (offset + random.poisson(60, shape)).astype(np.uint16)


def padded(value=0, **how):
    image = tissue(**how)
    image[:, :14] = image[:4] = value
    return image


def fill_of(image, diameter_um=7.0):
    lowest = lowest_levels(image, (0, 0, 0), image.shape)
    return fill_value(lowest, image.shape, UM, diameter_um).tolist()


@pytest.mark.parametrize(
    ("image", "fill"),
    [
        (padded(), [0.0]),
        (padded(40), [40.0]),
        (padded().astype(np.int16) - 300, [-300.0]),
        (padded() / 7, [0.0]),
    ],
    ids=["zeros", "another value", "below zero", "floats"],
)
def test_a_padded_border_is_fill(image, fill) -> None:
    assert fill_of(image) == fill


def lone_zeros():
    image = tissue()
    image[np.random.default_rng(0).random(image.shape) < 0.02] = 0
    return image


def balls_on_nothing():
    z, y, x = np.indices((40, 60, 60))
    inside = ((z * 2) % 16 - 8) ** 2 + (y % 12 - 6) ** 2 + (x % 12 - 6) ** 2 < 12
    return np.where(inside, tissue((40, 60, 60)), 0)


@pytest.mark.parametrize(
    "image",
    [
        tissue(),
        np.random.default_rng(1).poisson(0.2, (30, 60, 70)).astype(np.uint16),
        np.random.default_rng(1).poisson(0.2, (30, 60, 70)).astype(np.uint16) * 40,
        np.maximum(padded(offset=0).astype(np.int16) - 50, 0),
        np.where(padded() > 0, 400, 100),
        lone_zeros(),
        balls_on_nothing(),
        np.zeros((20, 20, 20), np.uint8),
    ],
    ids=[
        *("no border", "few photons", "few photons, amplified", "clipped at zero"),
        *("two levels", "dead pixels", "objects cut out", "nothing at all"),
    ],
)
def test_what_only_looks_like_fill_is_data(image) -> None:
    assert fill_of(image) == []


@pytest.mark.parametrize("block", [(30, 60, 70), (7, 13, 11), (1, 60, 9)])
def test_blocks_tell_the_same_lowest_levels(block) -> None:
    image = padded()
    whole = lowest_levels(image, (0, 0, 0), image.shape)
    parts = []
    for box in cut_boxes(Box.of_shape(image.shape), block):
        wide = box.grow((1, 1, 1), image.shape)
        start, stop = (tuple(np.subtract(p, wide.start)) for p in (box.start, box.stop))
        parts.append(lowest_levels(image[wide.slices()], start, stop))
    joined = join_lowest(parts)
    assert np.array_equal(joined.levels, whole.levels)
    assert (joined.count, joined.faces) == (whole.count, whole.faces)


def test_bins_average_the_data_in_them() -> None:
    image = padded()
    mean, part = bin_data(image, (2, 3, 4), np.zeros(1))
    plain = bin_voxels(image, (2, 3, 4))
    assert mean[part == 1].tobytes() == plain[part == 1].tobytes()
    assert set(np.unique(part)) == {0.0, np.float32(1 / 3), 1.0}
    assert (mean[part < 0.5] == 0).all()
    assert mean[part == 1].min() > 100


def test_smoothed_data_knows_nothing_of_the_fill() -> None:
    kernels = half_kernels(2.0, (1.0, 1.0, 1.0))
    image = np.full((40, 40, 40), 250, np.float32)
    missing = np.zeros_like(image)
    missing[:, :20] = 1
    mean = smooth_data(image * (1 - missing), missing, kernels)
    near = ~np.isnan(mean)
    assert mean[near] == pytest.approx(250, rel=1e-4)
    reach = support(kernels)[1]
    assert near[:, 20 - reach :].all()
    assert np.isnan(mean[:, 0]).all()
    far = smooth_valid(missing, kernels) == 0
    assert mean[far].tobytes() == smooth_valid(image, kernels)[far].tobytes()


def test_data_filled_in_is_as_bright_as_what_is_around() -> None:
    kernels = half_kernels(1.0, (1.0, 1.0, 1.0))
    image = np.full((20, 20, 20), 250, np.float32)
    missing = np.zeros_like(image)
    missing[:, :10] = 1
    reach = 2 * support(kernels)[0]
    around = np.full([20 - reach] * 3, 250, np.float32)
    filled = smooth_filled(image * (1 - missing), missing, kernels, around)
    assert filled == pytest.approx(250, rel=1e-4)
