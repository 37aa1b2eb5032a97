"""Blobs of one size: found once each, described by what is around them."""

import numpy as np
import pytest

from gateway.algo.blobs import blob_filter, find_blobs, noise_gain
from gateway.algo.coarse_grid import mirror
from gateway.algo.gaussian import smooth_valid
from gateway.algo.noise import LEVELS

QUIET = np.zeros(LEVELS, np.float32)


def find(image, diameter_um, voxel_um=(1.0, 1.0, 1.0), curve=QUIET):
    blob = blob_filter(diameter_um, voxel_um, image.shape)
    margin = blob.margin
    stop = tuple(n + m for n, m in zip(image.shape, margin, strict=True))
    start = tuple(-m for m in margin)
    padded = mirror(image.astype(np.float32), (0, 0, 0), start, stop, image.shape)
    return find_blobs(padded, (0, 0, 0), image.shape, blob, curve)


def ball(shape, centre, radius, voxel_um=(1.0, 1.0, 1.0)):
    grid = (np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))) * np.reshape(
        voxel_um, (3, 1, 1, 1)
    )
    return np.clip(radius + 0.5 - np.sqrt((grid**2).sum(axis=0)), 0, 1)


def strongest(found):
    best = found["response"].argmax()
    return {name: found[name][best] for name in ("z", "y", "x", "background", "peak", "scale_um")}


@pytest.mark.parametrize("diameter_um", [6.0, 8.0, 10.0])
def test_a_ball_is_found_and_measured_though_the_diameter_is_wrong(diameter_um) -> None:
    found = strongest(find(ball((40, 40, 40), (20.3, 19.0, 18.6), 4.0) * 500 + 100, diameter_um))
    assert np.allclose([found[a] for a in "zyx"], (20.3, 19.0, 18.6), atol=0.2)
    assert found["background"] == pytest.approx(100, abs=15)
    assert found["scale_um"] == pytest.approx(8, rel=0.25)


def test_anisotropic_voxels_are_no_matter() -> None:
    voxel_um = (2.0, 1.0, 1.0)
    found = strongest(find(ball((24, 40, 40), (12, 19, 18), 5.0, voxel_um), 10.0, voxel_um))
    assert np.allclose([found[a] for a in "zyx"], (12, 19, 18), atol=0.2)
    assert found["scale_um"] == pytest.approx(10, rel=0.25)


def test_touching_balls_are_two_and_a_large_one_is_one() -> None:
    two = ball((30, 40, 40), (15, 20, 14), 4) + ball((30, 40, 40), (15, 20, 22.5), 4)
    response = find(two, 8.0)["response"]
    assert (response > response.max() / 2).sum() == 2
    response = find(ball((40, 50, 50), (20, 25, 25), 6.5), 8.0)["response"]
    assert (response > response.max() / 2).sum() == 1


def test_the_edge_of_a_slab_is_flat() -> None:
    image = np.random.default_rng(0).poisson(100, (30, 40, 60)).astype(np.float32)
    image[:, :, 30:] += 300
    found = find(image, 8.0)
    edge = (abs(found["x"] - 32) < 3) & (found["response"] > 20)
    assert edge.any()
    assert (found["roundness"][edge] < 0.2).mean() > 0.8


def test_the_gain_for_noise_is_that_of_the_filter() -> None:
    blob = blob_filter(7.0, (2.0, 1.0, 1.0), (40, 60, 60))
    noise = np.random.default_rng(1).normal(0, 1, (60, 90, 90)).astype(np.float32)
    for narrow, wide in blob.scales:
        a, b = smooth_valid(noise, narrow), smooth_valid(noise, wide)
        trim = tuple(
            slice((p - q) // 2, (p + q) // 2) for p, q in zip(a.shape, b.shape, strict=True)
        )
        assert noise_gain(narrow, wide) == pytest.approx((a[trim] - b).std(), rel=0.05)


def test_nothing_is_seen_below_the_noise() -> None:
    image = np.random.default_rng(2).normal(100, 10, (40, 50, 60)).astype(np.float32)
    seen = find(image, 7.0, curve=np.full(LEVELS, 10, np.float32))
    assert len(seen["z"]) < len(find(image, 7.0)["z"]) / 10
