"""Which blobs are nuclei: by noise, light around them, texture and one another."""

import numpy as np
import pytest

from gateway.algo.noise import SIZES, count_sizes
from gateway.algo.nuclei_choice import CROWDED, TEXTURE, choose_nuclei, texture_limit, typical


def blobs(response, noise=1.0, surround=0.0, roundness=0.8):
    response = np.asarray(response, np.float64)
    made = {"response": response}
    for name, value in (("noise", noise), ("surround", surround), ("roundness", roundness)):
        made[name] = np.broadcast_to(np.asarray(value, np.float64), response.shape)
    return made


def sizes(spread, dark=0):
    """Count a response of that spread, and dark spots of size 100."""
    values = np.full((2, 2, 4000), spread / 1.4826, np.float32)
    values[0, 0, :40] = 100
    values[0, 0, 40 : 40 + dark] = -100
    return count_sizes(values, np.zeros(3))


def test_noise_ripples_seams_and_ghosts_are_left_out() -> None:
    response = [100, 100, 90, 5, 100, 8]
    made = blobs(
        response,
        noise=[1, 1, 1, 1, 1, 0.1],
        surround=[50, 2000, 50, 50, 50, 50],
        roundness=[0.8, 0.8, 0.8, 0.8, 0.05, 0.8],
    )
    chosen = choose_nuclei(made, sizes(1.0), black=0.0)
    assert chosen.tolist() == [True, False, True, False, False, False]


def test_black_is_no_light() -> None:
    made = blobs([100, 100], surround=[5000, 5200])
    assert choose_nuclei(made, sizes(1.0), black=4900.0).all()


def test_texture_counts_where_nuclei_are_sparse_only() -> None:
    assert texture_limit(1000.0, 10.0) == TEXTURE * 10
    assert texture_limit(20.0, 10.0) < 1
    assert texture_limit(CROWDED * 10, 10.0) == pytest.approx(10)
    assert texture_limit(5.0, 0.0) == 0


def test_what_has_as_many_dark_spots_as_bright_ones_is_texture() -> None:
    made = blobs([100.0] * 30)
    assert choose_nuclei(made, sizes(25.0), black=0.0).all()  # crowded
    assert choose_nuclei(made, sizes(25.0, dark=6), black=0.0).all()
    assert not choose_nuclei(made, sizes(25.0, dark=30), black=0.0).any()
    assert choose_nuclei(made, sizes(5.0, dark=30), black=0.0).all()  # and bright all the same


def test_sensitivity_divides_the_thresholds() -> None:
    made = blobs([100.0, 5.0])
    assert choose_nuclei(made, sizes(0.1), black=0.0).tolist() == [True, False]
    assert choose_nuclei(made, sizes(0.1), black=0.0, sensitivity=5.0).all()


def test_none_and_typical() -> None:
    assert choose_nuclei(blobs([]), np.zeros(2 * SIZES, np.int64), black=0.0).size == 0
    assert typical(np.zeros(0), 1) == 0
    assert typical(np.array([1.0] * 90 + [50.0] * 10), 2) == 50
