import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from gateway.algo.phase_correlation import SCALES
from gateway.algo.shift_refinement import refine_shift

fractions = st.floats(-0.5, 0.5)


def scene(seed=0, shape=(30, 64, 64)):
    noise = np.random.default_rng(seed).normal(size=shape)
    return ndimage.gaussian_filter(noise, 1.2) * 10


@settings(max_examples=15, deadline=None)
@given(st.tuples(fractions, fractions, fractions))
def test_a_fraction_of_a_voxel_is_found(shift):
    whole = scene()
    moved = ndimage.shift(whole, np.negative(shift), order=5, mode="nearest")
    cut = (slice(5, -5),) * 3
    fit = refine_shift(
        whole[cut].astype(np.float32), moved[cut].astype(np.float32), (0, 0, 0), SCALES[1]
    )
    assert np.allclose(fit.shift, shift, atol=0.03)


def test_noise_pulls_the_answer_neither_to_whole_nor_to_half_voxels():
    random = np.random.default_rng(4)
    whole = scene(2, (24, 50, 50))
    off = []
    for _ in range(12):
        one, other = (whole + random.normal(0, 0.8, whole.shape) for _ in range(2))
        fit = refine_shift(one.astype(np.float32), other.astype(np.float32), (0, 0, 0), SCALES[1])
        off.append(fit.shift)
    assert np.abs(np.mean(off, axis=0)).max() < 0.01
    assert np.std(off, axis=0).max() < 0.05


@pytest.mark.parametrize("shift", [(40, 0, 0), (0, -70, 0)])
def test_strips_that_do_not_meet_are_not_refined(shift):
    strip = scene().astype(np.float32)
    assert refine_shift(strip, strip, shift, SCALES[1]) is None


def test_an_axis_without_texture_is_refused():
    flat = np.broadcast_to(scene()[:, :, :1], (30, 64, 64)).astype(np.float32)
    assert refine_shift(flat, flat, (0, 0, 0), SCALES[1]) is None


def test_an_axis_too_thin_to_tell_stays_where_it_was():
    strip = scene()[:2].astype(np.float32)
    fit = refine_shift(strip, strip, (0, 0, 0), SCALES[1])
    assert fit.shift[0] == 0
    assert fit.deviation[0] >= 0.3
    assert np.allclose(fit.shift[1:], 0, atol=1e-3)
