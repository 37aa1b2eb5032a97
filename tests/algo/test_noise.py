"""The noise of a camera is found at each grey level, whatever lies in the image."""

import numpy as np
import pytest
from scipy import ndimage

from gateway.algo.noise import (
    SIZES,
    add_surveys,
    count_sizes,
    dark_share,
    level_of,
    median_size,
    noise_curve,
    survey,
)


def curve_of(image):
    found = survey(np.ascontiguousarray(image, np.float32), (1, 1, 1), 2)
    return noise_curve(found["key"], found["count"])


def test_read_noise_is_found_under_structure() -> None:
    random = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(random.normal(0, 1, (40, 60, 60)), 4) * 3000 + 500
    curve = curve_of(smooth + random.normal(0, 12, smooth.shape))
    assert curve[level_of(500.0)] == pytest.approx(12, rel=0.1)


def test_shot_noise_grows_with_the_light() -> None:
    random = np.random.default_rng(1)
    light = np.broadcast_to(np.linspace(50, 5000, 200), (30, 60, 200))
    curve = curve_of(random.poisson(light))
    for level in (100, 1000, 4000):
        assert curve[level_of(float(level))] == pytest.approx(level**0.5, rel=0.15)


def test_a_few_photons_are_noisy_though_most_voxels_are_dark() -> None:
    random = np.random.default_rng(2)
    image = 100 + 50 * random.poisson(0.02, (40, 60, 60))
    assert curve_of(image)[level_of(100.0)] > 2


def test_surveys_of_blocks_add_up_to_that_of_the_whole() -> None:
    image = np.random.default_rng(3).normal(10, 4, (22, 32, 42)).astype(np.float32)
    whole = survey(image, (1, 1, 1), 2)
    parts = [survey(image[:, a : b + 2], (1, 1 + a, 1), 2) for a, b in ((0, 7), (7, 8), (8, 30))]
    key, count = (np.concatenate([p[name] for p in parts]) for name in ("key", "count"))
    total = add_surveys(key, count)
    assert np.array_equal(total["key"], whole["key"])
    assert np.array_equal(total["count"], whole["count"])


def test_grey_levels_keep_their_order() -> None:
    values = np.array([-1e30, -5, -4, -1e-9, 0, 1e-9, 3, 4, 1e30], np.float32)
    assert (np.diff(level_of(values)) > 0).all()


def test_no_voxel_no_noise() -> None:
    none = np.zeros(0, np.int64)
    assert not noise_curve(none, none).any()
    assert median_size(np.zeros(2 * SIZES, np.int64)) == 0


def test_the_median_of_counts_is_that_of_the_values() -> None:
    values = np.random.default_rng(4).normal(0, 7, (40, 50, 60)).astype(np.float32)
    counts = count_sizes(values, np.array([3, 4, 0]))
    assert median_size(counts) == pytest.approx(np.median(abs(values)), rel=0.1)
    assert median_size(count_sizes(np.zeros((4, 4, 4), np.float32), np.zeros(3))) == 0


def test_the_share_of_dark_values() -> None:
    values = np.array([[[5.0, 5, 5, 5, 1, -1, -1, -5]]], np.float32)
    counts = count_sizes(values, np.zeros(3))
    assert dark_share(counts, 4.0) == pytest.approx(1 / 4)
    assert dark_share(counts, 0.5) == pytest.approx(3 / 5)
    assert dark_share(counts, 50.0) == 0
    normal = np.random.default_rng(3).normal(0, 1, (40, 40, 40)).astype(np.float32)
    assert dark_share(count_sizes(normal, np.zeros(3)), 1.5) == pytest.approx(1, abs=0.1)
