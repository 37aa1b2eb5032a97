"""Bins: whole voxels from the origin on, owned by one block each."""

from itertools import pairwise

import numpy as np
import pytest

from gateway.algo.coarse_grid import CoarseGrid, bin_voxels, coarse_grid, mirror, spread_bins


def test_a_nucleus_stays_eight_bins_wide() -> None:
    grid = coarse_grid((60, 300, 301), (2.0, 0.5, 0.5), 16.0)
    assert grid.factor == (1, 4, 4)
    assert grid.shape == (60, 75, 76)
    assert grid.voxel_um == (2.0, 2.0, 2.0)
    assert coarse_grid((60, 60, 60), (1.0, 1.0, 1.0), 15.9).factor == (1, 1, 1)


@pytest.mark.parametrize("cuts", [(0, 7, 20), (0, 1, 2, 20), (0, 5, 10, 15, 20)])
def test_every_bin_has_one_owner(cuts) -> None:
    grid = CoarseGrid(full_shape=(20, 20, 20), factor=(1, 3, 4), voxel_um=(1.0, 1.0, 1.0))
    owned = []
    for a, b in pairwise(cuts):
        low, high = grid.core((0, 0, a), (1, 1, b))
        owned += list(range(low[2], high[2]))
    assert owned == list(range(grid.shape[2]))


def test_bins_are_means_and_the_last_is_short() -> None:
    voxels = np.arange(2 * 3 * 5, dtype=np.uint16).reshape(2, 3, 5)
    bins = bin_voxels(voxels, (1, 2, 2))
    assert bins.shape == (2, 2, 3)
    assert bins[0, 0, 0] == voxels[0, :2, :2].mean()
    assert bins[1, 1, 2] == voxels[1, 2, 4]


def test_centres_and_bins_undo_one_another() -> None:
    grid = coarse_grid((60, 300, 301), (2.0, 0.5, 0.5), 16.0)
    assert grid.centres(np.zeros((1, 3))).tolist() == [[0.0, 1.5, 1.5]]
    places = np.array([[3.0, 7.25, 9.5]])
    np.testing.assert_allclose(grid.bins(grid.centres(places)), places)


def test_a_box_beyond_the_volume_is_mirrored() -> None:
    block = np.arange(4, dtype=np.float32).reshape(1, 1, 4)
    out = mirror(block, (0, 0, 0), (0, 0, -2), (1, 2, 6), (1, 1, 4))
    assert out.tolist() == [[[1, 0, 0, 1, 2, 3, 3, 2]] * 2]


def test_labels_of_bins_are_spread_over_their_voxels() -> None:
    bins = np.array([[[5, 6, 7]]])
    out = spread_bins(bins, (0, 0, 2), (1, 1, 3), (0, 0, 7), (1, 1, 13))
    assert out.tolist() == [[[5, 5, 6, 6, 6, 7]]]
