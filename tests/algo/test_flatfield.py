import numpy as np

from gateway.algo.flatfield import OverlapSamples, sample_overlap, solve_illumination

SHAPE = (6, 100, 120)


def samples(gains, strength, *, noise=0.0, wrong=0.0):
    """Sample the overlaps of a row of tiles that all see the same field."""
    random = np.random.default_rng(0)
    y, x = (np.linspace(-1, 1, n) for n in SHAPE[1:])
    field = np.exp(-strength * (y[:, None] ** 2 + x[None] ** 2))
    rows = []
    for first in range(len(gains) - 1):
        content = random.uniform(500, 2000, (SHAPE[0], SHAPE[1], 24))
        views = (
            content * gains[first] * field[:, -24:],
            content * gains[first + 1] * field[:, :24],
        )
        views = tuple(v + random.normal(0, noise, v.shape) for v in views)
        place, mean, voxels = sample_overlap(*views, ((0, 0, 96), (0, 0, 0)), (SHAPE, SHAPE))
        mean[random.random(len(mean)) < wrong, 0] *= 3
        rows.append((np.tile([first, first + 1], (len(voxels), 1)), place, mean, voxels))
    tiles, place, mean, voxels = (np.concatenate(c) for c in zip(*rows, strict=True))
    return OverlapSamples(tiles=tiles, place=place, mean=mean, voxels=voxels)


def test_gains_and_vignette_are_recovered_and_evened_out():
    gains = np.array([1.0, 1.1, 0.9, 1.05])
    found = solve_illumination(4, samples(gains, 0.2, noise=20))
    assert np.allclose(found.gain, gains / np.exp(np.log(gains).mean()), rtol=0.03)
    rows, columns = found.factors(0, SHAPE)
    x = np.linspace(-1, 1, SHAPE[2])
    assert np.allclose(columns / columns[60] * np.exp(-0.2 * x**2), 1, atol=0.03)
    assert len(rows) == SHAPE[1]


def test_bins_that_disagree_do_not_spoil_the_fit():
    gains = np.array([1.0, 1.1, 0.9, 1.05])
    found = solve_illumination(4, samples(gains, 0.2, noise=20, wrong=0.15))
    assert np.allclose(found.gain, gains / np.exp(np.log(gains).mean()), rtol=0.05)


def test_nothing_is_corrected_where_nothing_is_wrong():
    found = solve_illumination(3, samples(np.ones(3), 0.0, noise=50))
    assert np.allclose(found.gain, 1, atol=0.01)
    assert np.abs(found.vignette).max() < 0.05


def test_without_samples_nothing_changes():
    empty = OverlapSamples(
        tiles=np.zeros((0, 2), int),
        place=np.zeros((0, 2, 2)),
        mean=np.zeros((0, 2)),
        voxels=np.zeros(0, int),
    )
    assert solve_illumination(2, empty).gain.tolist() == [1, 1]


def test_voxels_that_are_not_finite_are_left_out():
    view = np.ones((2, 20, 20))
    view[0, :5] = np.nan
    _, mean, voxels = sample_overlap(view, np.ones((2, 20, 20)), ((0,) * 3,) * 2, (view.shape,) * 2)
    assert np.allclose(mean[voxels > 0], 1)
    assert voxels.sum() == 700
