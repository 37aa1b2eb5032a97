from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.algo.tile_layout import plan_layout
from gateway.algo.tile_overlap import find_pairs, search_strips

SHAPE = (20, 100, 90)


def lattice(rows, columns, step=(90, 81)):
    return np.array([[0.0, r * step[0], c * step[1]] for r in range(rows) for c in range(columns)])


def shapes(nominal):
    return np.tile(SHAPE, (len(nominal), 1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_pairs_are_exactly_those_whose_boxes_overlap(seed):
    nominal = np.random.default_rng(seed).uniform(-300, 300, (25, 3)) * [0.1, 1, 1]
    found = {(p.first, p.second) for p in find_pairs(nominal, shapes(nominal))}
    expected = {
        (a, b)
        for a, b in product(range(25), repeat=2)
        if a < b and (np.abs(nominal[a] - nominal[b]) <= np.subtract(SHAPE, 1)).all()
    }
    assert found == expected


def test_a_large_grid_is_searched_quickly():
    nominal = lattice(60, 60)
    assert len(find_pairs(nominal, shapes(nominal))) == 60 * 59 * 2 + 59 * 59 * 2


@given(
    st.tuples(*(st.integers(-n, n) for n in SHAPE)),
    st.tuples(*(st.integers(0, 20) for _ in SHAPE)),
    st.data(),
)
def test_strips_hold_the_overlap_of_every_displacement_in_the_window(centre, window, data):
    strips = search_strips(centre, SHAPE, SHAPE, window)
    moved = [c + data.draw(st.integers(-w, w)) for c, w in zip(centre, window, strict=True)]
    low, high = np.maximum(0, moved), np.minimum(SHAPE, np.add(moved, SHAPE))
    if (low < high).all():
        assert (np.asarray(strips.first_start) <= low).all()
        assert (high <= np.asarray(strips.first_stop)).all()
        assert (np.asarray(strips.second_start) <= low - moved).all()
        assert (high - moved <= np.asarray(strips.second_stop)).all()


def test_the_search_is_as_wide_as_the_overlap_in_micrometres():
    nominal = lattice(2, 2, step=(70, 60))
    layout = plan_layout(nominal, shapes(nominal), voxel_um=(5.0, 2.0, 2.0), max_shift_um=0.0)
    assert layout.overlap == (0, 30, 30)
    assert layout.window == (6, 30, 30)


def test_a_given_search_is_kept_within_the_tile():
    nominal = lattice(1, 2)
    layout = plan_layout(nominal, shapes(nominal), voxel_um=(1.0, 1.0, 1.0), max_shift_um=40.0)
    assert layout.window == (19, 40, 40)


def test_a_single_tile_has_no_pair():
    layout = plan_layout(np.zeros((1, 3)), np.array([SHAPE]), voxel_um=(1, 1, 1), max_shift_um=0.0)
    assert layout.pairs == []
    assert layout.largest_strip() == 1
