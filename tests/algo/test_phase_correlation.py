import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.algo.pair_shift import measure_shift
from gateway.algo.phase_correlation import correlate_window, find_peaks, flatten_content

WINDOW = (3, 6, 6)
shifts = st.tuples(st.integers(-3, 3), st.integers(-5, 5), st.integers(-5, 5))


def content(seed, shape=(16, 40, 36)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def direct(first, second, shift):
    """Correlate the true overlap, as the definition says."""
    lo = np.maximum(0, shift)
    hi = np.minimum(first.shape, np.add(shift, second.shape))
    one = first[tuple(map(slice, lo, hi))]
    other = second[tuple(map(slice, lo - shift, hi - shift))]
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


@settings(max_examples=20, deadline=None)
@given(shifts, st.integers(0, 99))
def test_the_correlation_of_every_displacement_is_that_of_the_true_overlap(shift, seed):
    first, second = content(seed), content(seed + 1, (14, 30, 44)) + 5
    ncc, _, count = correlate_window(first, second, (0, 4, -3), WINDOW)
    place = tuple(np.add(shift, WINDOW))
    moved = np.add(shift, (0, 4, -3))
    assert ncc[place] == pytest.approx(direct(first, second, moved), abs=1e-4)
    overlap = np.minimum(first.shape, moved + second.shape) - np.maximum(0, moved)
    assert count[place] == overlap.prod()


@settings(max_examples=20, deadline=None)
@given(shifts, st.floats(0.2, 5), st.floats(0, 500))
def test_a_displacement_is_found_whatever_gain_and_offset(shift, gain, offset):
    scene = content(1, (30, 60, 60)) * 100 + 1000
    start, size = np.array([7, 10, 10]), np.array([16, 40, 36])
    first = scene[tuple(map(slice, start, start + size))]
    second = scene[tuple(map(slice, start + shift, start + shift + size))]
    best = measure_shift(first, gain * second + offset, (0, 0, 0), WINDOW)[0]
    assert np.allclose(best.shift, shift, atol=0.1)
    assert best.confidence > 0.5


def test_noise_alone_is_not_believed():
    found = measure_shift(content(1), content(2), (0, 0, 0), WINDOW)
    assert all(candidate.confidence < 0.2 for candidate in found)


@pytest.mark.parametrize("value", [0, 65535])
def test_a_strip_without_content_gives_no_displacement(value):
    blank = np.full((16, 40, 36), value, np.uint16)
    assert measure_shift(blank, blank, (0, 0, 0), WINDOW) == []
    assert not measure_shift(blank, content(1), (0, 0, 0), WINDOW)


def test_strips_that_share_too_little_give_no_peak():
    tiny = content(1, (2, 5, 5))
    assert find_peaks(tiny, tiny, (0, 0, 0), (1, 1, 1)) == []


def test_what_is_not_finite_counts_as_background():
    strip = np.arange(24.0).reshape(2, 3, 4)
    strip[0, 0, 0] = np.nan
    strip[1, 1, 1] = np.inf
    assert np.isfinite(flatten_content(strip)).all()
    assert not flatten_content(np.full((2, 3, 4), np.nan)).any()
