import numpy as np
import pytest
from scipy.spatial import cKDTree

from gateway.algo.synthetic import expose, make_brain

VOXEL_UM = (3.0, 1.5, 1.5)


@pytest.fixture(scope="module")
def brain():
    return make_brain((24, 120, 160), voxel_um=VOXEL_UM, count=150, diameter_um=12.0, seed=3)


def test_the_same_seed_gives_the_same_brain(brain):
    again = make_brain((24, 120, 160), voxel_um=VOXEL_UM, count=150, diameter_um=12.0, seed=3)
    np.testing.assert_array_equal(again.photons, brain.photons)
    np.testing.assert_array_equal(again.centres_um, brain.centres_um)


def test_every_centre_lies_inside_and_is_brighter_than_the_haze(brain):
    at = np.rint(brain.centres_um / VOXEL_UM).astype(int)
    at = np.minimum(at, np.array(brain.photons.shape) - 1)
    assert (at >= 0).all()
    assert brain.photons[tuple(at.T)].min() > np.median(brain.photons) + 50


def test_no_two_nuclei_are_nearer_than_a_diameter_less_a_little(brain):
    assert not cKDTree(brain.centres_um).query_pairs(0.94 * 12.0)


def test_diameters_spread_around_the_one_asked_for(brain):
    assert brain.diameters_um.mean() == pytest.approx(12.0, rel=0.03)


def test_too_many_nuclei_become_as_many_as_fit():
    crowded = make_brain((12, 40, 40), voxel_um=VOXEL_UM, count=200, diameter_um=12.0, seed=0)
    assert 10 < len(crowded.centres_um) < 200


def test_a_tile_is_darker_in_its_corners_and_scales_with_gain():
    even = np.full((4, 64, 64), 1000, np.float32)
    tile = expose(even, gain=1.0, vignette=0.2, noise=1.0, seed=0)
    assert tile.dtype == np.uint16
    assert tile[:, :4, :4].mean() == pytest.approx(800, rel=0.05)
    assert tile[:, 30:34, 30:34].mean() == pytest.approx(1000, rel=0.05)
    bright = expose(even, gain=1.1, vignette=0.2, noise=1.0, seed=0)
    assert bright.mean() / tile.mean() == pytest.approx(1.1, rel=0.01)
