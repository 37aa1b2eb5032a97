"""Reduced levels are exact means and modes, whatever the shape, factor and dtype."""

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.algo.pyramid import reduce_mean, reduce_mode

shapes = st.tuples(*[st.integers(1, 9)] * 3)
factors = st.sampled_from([(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1), (2, 2, 2), (3, 2, 4)])


def windows(voxels, factor):
    coarse = [range(-(-n // f)) for n, f in zip(voxels.shape, factor, strict=True)]
    for place in product(*coarse):
        cut = tuple(slice(i * f, (i + 1) * f) for i, f in zip(place, factor, strict=True))
        yield place, voxels[cut].ravel().tolist()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
@given(shape=shapes, factor=factors, seed=st.integers(0, 99), spread=st.sampled_from([2, 5, 2**16]))
@settings(max_examples=60, deadline=None)
def test_integer_mean_is_the_exact_mean_rounded_half_to_even(dtype, shape, factor, seed, spread):
    limits = np.iinfo(dtype)
    low = max(limits.min, limits.max - spread) if seed % 2 else limits.min
    high = min(limits.max, low + spread)
    voxels = np.random.default_rng(seed).integers(low, high, shape, dtype, endpoint=True)
    means = reduce_mean(voxels, factor)
    assert means.dtype == voxels.dtype
    for place, window in windows(voxels, factor):
        assert means[place] == round(Fraction(sum(window), len(window))), (window, place)


@given(shape=shapes, factor=factors, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_float_mean_is_rounded_once(shape, factor, seed):
    voxels = np.random.default_rng(seed).normal(0, 1e3, shape).astype(np.float32)
    means = reduce_mean(voxels, factor)
    for place, window in windows(voxels, factor):
        assert means[place] == pytest.approx(sum(window) / len(window), rel=1e-6, abs=1e-4)


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
@given(shape=shapes, factor=factors, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_mode_is_the_most_frequent_label_and_ties_are_fixed(dtype, shape, factor, seed):
    labels = np.array([0, 1, 2, np.iinfo(dtype).max], dtype)
    voxels = np.random.default_rng(seed).choice(labels, shape)
    modes = reduce_mode(voxels, factor)
    assert modes.dtype == voxels.dtype
    for place, window in windows(voxels, factor):
        counts = Counter(window)
        best = [label for label, count in counts.items() if count == max(counts.values())]
        assert modes[place] == min(best, key=lambda label: (label == 0, label))


def test_mean_does_not_drift_over_levels():
    voxels = np.random.default_rng(1).integers(0, 256, (128, 128, 128), np.uint8)
    level = voxels
    for _ in range(5):
        level = reduce_mean(level, (2, 2, 2))
    assert abs(float(level.mean()) - float(voxels.mean())) < 0.1


def test_largest_values_do_not_overflow():
    for dtype in ("uint8", "uint16", "int16"):
        for extreme in (np.iinfo(dtype).min, np.iinfo(dtype).max):
            voxels = np.full((9, 16, 64), extreme, dtype)
            assert np.all(reduce_mean(voxels, (9, 8, 32)) == extreme)


def test_voxels_may_be_any_view():
    whole = np.random.default_rng(2).integers(0, 999, (9, 13, 11), np.uint16)
    views = [whole[1:, 2:9, 3:], whole.transpose(2, 0, 1), whole[::-1, ::2], whole[:, :, ::-2]]
    for view in views:
        expected = reduce_mean(view.copy(), (2, 2, 2))
        assert np.array_equal(reduce_mean(view, (2, 2, 2)), expected)
        labels = view.astype(np.uint32)[::-1]
        assert np.array_equal(reduce_mode(labels, (2, 2, 2)), reduce_mode(labels.copy(), (2, 2, 2)))


def test_other_dtypes_are_refused_by_name():
    with pytest.raises(TypeError, match="no mean of uint64; expected one of uint8"):
        reduce_mean(np.zeros((2, 2, 2), np.uint64), (2, 2, 2))
    with pytest.raises(TypeError, match="no mode of uint8; expected one of uint32"):
        reduce_mode(np.zeros((2, 2, 2), np.uint8), (2, 2, 2))
    with pytest.raises(ValueError, match="expected zyx, not empty, and factors"):
        reduce_mean(np.zeros((2, 2), np.uint8), (2, 2, 2))
