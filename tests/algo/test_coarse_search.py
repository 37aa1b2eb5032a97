from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import ndimage

from gateway.algo.coarse_search import choose_factor, measure_pair, read_binned, strip_views
from gateway.algo.tile_overlap import search_strips

SHAPE = (40, 160, 150)


@pytest.fixture(scope="module")
def scene():
    random = np.random.default_rng(0)
    noise = sum(
        ndimage.gaussian_filter(random.normal(size=(50, 220, 330)), size) * size**1.5
        for size in (1, 3, 6)
    )
    return (1000 + 300 * noise).astype(np.float32)


def pair(scene, true, nominal, window):
    start = np.array([4, 20, 8])
    random = np.random.default_rng(1)
    tiles = []
    for corner in (start, start + true):
        part = scene[tuple(map(slice, corner, corner + SHAPE))]
        tiles.append(part + random.normal(0, 20, SHAPE).astype(np.float32))
    reads = [lambda a, b, tile=tile: tile[tuple(map(slice, a, b))] for tile in tiles]
    strips = search_strips(nominal, SHAPE, SHAPE, window)
    return strip_views(strips, (SHAPE, SHAPE), tuple(reads))


@pytest.mark.parametrize("true", [(2, -11, 125), (-3, 9, 140), (0, 0, 131)])
@pytest.mark.parametrize("largest", [20_000, 80_000])
def test_a_binned_search_ends_at_full_detail(scene, true, largest):
    first, second = pair(scene, true, (0, 0, 130), (6, 20, 20))
    assert choose_factor((first, second), largest) != (1, 1, 1)
    best = measure_pair(first, second, (0, 0, 130), (6, 20, 20), largest=largest)[0]
    assert np.allclose(best.shift, true, atol=0.1)
    assert best.confidence > 0.2


def test_a_small_overlap_is_compared_whole(scene):
    first, second = pair(scene, (2, -11, 125), (0, 0, 130), (6, 20, 20))
    whole = measure_pair(first, second, (0, 0, 130), (6, 20, 20))[0]
    assert choose_factor((first, second), 3_000_000) == (1, 1, 1)
    assert np.allclose(whole.shift, (2, -11, 125), atol=0.05)


def test_no_read_is_larger_than_it_must_be(scene):
    first, second = pair(scene, (2, -11, 125), (0, 0, 130), (6, 20, 20))
    sizes = []

    def counted(read):
        def look(start, stop):
            sizes.append(int(np.prod(np.subtract(stop, start))))
            return read(start, stop)

        return look

    views = [replace(v, read=counted(v.read)) for v in (first, second)]
    measure_pair(*views, (0, 0, 130), (6, 20, 20), largest=20_000)
    strip = np.prod(np.subtract(first.stop, first.start))
    assert max(sizes[:10]) < strip / 4


def test_bins_hold_the_mean(scene):
    first, _ = pair(scene, (2, -11, 125), (0, 0, 130), (6, 20, 20))
    binned = read_binned(first, (2, 4, 4))
    strip = first.read(first.start, first.stop)
    for place in product((0, 5), (0, 7), (0, 3)):
        spans = tuple(slice(p * f, (p + 1) * f) for p, f in zip(place, (2, 4, 4), strict=True))
        assert binned[place] == pytest.approx(float(strip[spans].mean()), rel=1e-5)


def test_binning_halves_the_longest_axis_first(scene):
    first, second = pair(scene, (2, -11, 125), (0, 0, 130), (6, 20, 20))
    assert choose_factor((first, second), 200_000) == (1, 2, 1)
