"""Masks: half the height, one seed's each, never beyond their reach, in any order."""

import numpy as np
import pytest

from gateway.algo.coarse_grid import mirror
from gateway.algo.masks import REACH, grow_masks, mask_shape


def grow(image, seeds, diameter_um, voxel_um=(1.0, 1.0, 1.0)):
    mask = mask_shape(diameter_um, voxel_um)
    start = tuple(-m for m in mask.margin)
    stop = tuple(n + m for n, m in zip(image.shape, mask.margin, strict=True))
    padded = mirror(image.astype(np.float32), (0, 0, 0), start, stop, image.shape)
    return grow_masks(padded, (0, 0, 0), image.shape, seeds, mask)


def seeds_at(places, peak=100.0, scale_um=8.0):
    places = np.asarray(places, np.float64)
    count = len(places)
    made = {axis: places[:, n] for n, axis in enumerate("zyx")}
    values = {"peak": peak, "core": peak, "background": 0.0, "scale_um": scale_um}
    made |= {name: np.full(count, value) for name, value in values.items()}
    return made | {"id": np.arange(1, count + 1)}


def distance(shape, centre):
    return np.sqrt(((np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0))


def test_a_ball_is_covered() -> None:
    inside = distance((30, 30, 30), (15, 15, 15)) <= 4
    labels = grow(inside * 100.0, seeds_at([(15, 15, 15)]), 8.0)
    assert (labels.astype(bool) & inside).sum() / (labels.astype(bool) | inside).sum() > 0.7


def test_touching_balls_part_at_their_middle() -> None:
    a, b = (distance((30, 30, 40), (15, 15, x)) for x in (14, 22))
    labels = grow(((a <= 4.2) | (b <= 4.2)) * 100.0, seeds_at([(15, 15, 14), (15, 15, 22)]), 8.0)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert labels[15, 15, 15] == 1
    assert labels[15, 15, 21] == 2
    assert not (labels[a < b] == 2).any()


def test_a_mask_stops_in_the_valley_before_another_object() -> None:
    a, b = (distance((30, 30, 40), (15, 15, x)) for x in (14, 23))
    image = 100 * np.exp(-((a / 3) ** 2)) + 300 * np.exp(-((b / 3) ** 2))
    labels = grow(image, seeds_at([(15, 15, 14)]), 12.0)
    assert labels[15, 15, 14] == 1
    assert labels[15, 15, 23] == 0


def test_no_mask_goes_beyond_its_reach() -> None:
    labels = grow(np.full((30, 30, 30), 100.0), seeds_at([(15, 15, 15)]), 10.0)
    reach = distance(labels.shape, (15, 15, 15))[labels > 0].max()
    assert REACH * 10 - 1 < reach <= REACH * 10


@pytest.mark.parametrize("voxel_um", [(1.0, 1.0, 1.0), (2.0, 1.0, 0.7), (np.inf, 1.0, 1.0)])
def test_every_ray_leads_home(voxel_um) -> None:
    mask = mask_shape(9.0, voxel_um)
    steps = np.abs(mask.offsets).max(axis=1)
    assert mask.offsets[0].tolist() == [0, 0, 0]
    assert mask.parents.min() >= 0
    assert (steps[mask.parents[1:]] == steps[1:] - 1).all()
    assert (np.abs(mask.offsets - mask.offsets[mask.parents]).max(axis=1)[1:] == 1).all()


def test_the_order_of_seeds_is_no_matter() -> None:
    random = np.random.default_rng(0)
    image = random.normal(100, 10, (25, 30, 35))
    seeds = seeds_at(random.uniform(3, 22, (30, 3)))
    order = random.permutation(30)
    labels = grow(image, seeds, 9.0)
    assert len(np.unique(labels)) > 20
    assert np.array_equal(labels, grow(image, {n: c[order] for n, c in seeds.items()}, 9.0))
