"""Gaussians: as SciPy makes them, and the same bits wherever a block starts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from gateway.algo.gaussian import (
    TRUNCATE,
    half_kernel,
    half_kernels,
    reflect_indices,
    smooth_valid,
    support,
)

IMAGE = np.random.default_rng(0).normal(100, 20, (20, 31, 40)).astype(np.float32)


def smooth(image, kernels, start, stop):
    pads = zip(start, stop, support(kernels), image.shape, strict=True)
    index = (reflect_indices(a - s, b + s, n) for a, b, s, n in pads)
    return smooth_valid(image[np.ix_(*index)], kernels)


def test_it_is_the_filter_of_scipy() -> None:
    kernels = half_kernels(2.0, (2.0, 1.0, 0.7))
    sigma = [2.0 / v for v in (2.0, 1.0, 0.7)]
    expected = ndimage.gaussian_filter(IMAGE, sigma, radius=support(kernels), mode="reflect")
    np.testing.assert_allclose(smooth(IMAGE, kernels, (0, 0, 0), IMAGE.shape), expected, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_blocks_give_the_same_bits(data) -> None:
    kernels = half_kernels(1.7, (2.0, 1.0, 1.0))
    whole = smooth(IMAGE, kernels, (0, 0, 0), IMAGE.shape)
    start = [data.draw(st.integers(0, n - 1)) for n in IMAGE.shape]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, IMAGE.shape, strict=True)]
    cut = smooth(IMAGE, kernels, start, stop)
    part = whole[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    assert cut.tobytes() == part.tobytes()


def test_a_kernel_sums_to_one_and_ends() -> None:
    kernel = half_kernel(2.5)
    assert (
        kernel[0] + 2 * kernel[1:].sum() == np.float32(1).item()
        or abs(kernel[0] + 2 * kernel[1:].sum() - 1) < 1e-6
    )
    assert len(kernel) - 1 <= TRUNCATE * 2.5 + 1
    assert half_kernel(0).tolist() == [1.0]


def test_mirrors_at_both_faces_even_of_a_short_axis() -> None:
    assert reflect_indices(-3, 7, 4).tolist() == [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]
    assert reflect_indices(-2, 3, 1).tolist() == [0, 0, 0, 0, 0]
