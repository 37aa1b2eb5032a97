from dataclasses import dataclass

import numpy as np
import pytest

from gateway.service.seams import choose_seam, view_seam

SCENE = np.random.default_rng(0).integers(100, 4000, (12, 90, 150)).astype(np.uint16)
STARTS = {"a.tif": (0, 0, 0), "b.tif": (1, 3, 50), "c.tif": (0, 30, 0)}
SHAPE = (10, 60, 80)


@dataclass
class Tile:
    file: str
    shape: tuple[int, int, int] = SHAPE


class Stack:
    def __init__(self, start):
        z, y, x = start
        self.voxels = SCENE[z : z + SHAPE[0], y : y + SHAPE[1], x : x + SHAPE[2]]

    def read(self, box, *, channel):
        assert channel == 0
        return self.voxels[box.slices()]


class Grid:
    tiles = tuple(Tile(name) for name in STARTS)

    def source(self, index):
        return Stack(STARTS[self.tiles[index].file])


def moved(name, by):
    return {**STARTS, name: tuple(np.add(STARTS[name], by))}


def test_at_their_true_places_two_tiles_show_the_same():
    view = view_seam(Grid(), (0, 1), STARTS)
    np.testing.assert_array_equal(view.first, view.second)


def test_at_wrong_places_they_differ():
    view = view_seam(Grid(), (0, 1), moved("b.tif", (0, 2, -3)))
    assert (view.first != view.second).any()


def test_where_only_one_reaches_both_show_it():
    view = view_seam(Grid(), (0, 1), STARTS)
    # the first row is above the second tile
    assert view.first[0, :70].min() > 0
    np.testing.assert_array_equal(view.first[0], view.second[0])


def test_brightness_is_not_place():
    class Dim(Grid):
        def source(self, index):
            stack = super().source(index)
            if index == 1:
                stack.voxels = stack.voxels / 2
            return stack

    view = view_seam(Dim(), (0, 1), STARTS)
    np.testing.assert_allclose(view.first, view.second, rtol=1e-5)


def test_the_pair_that_was_moved_farthest_is_chosen():
    assert choose_seam(Grid(), moved("b.tif", (0, 4, 4)), STARTS) == (0, 1)
    assert choose_seam(Grid(), moved("c.tif", (0, 9, 4)), STARTS)[1] == 2


@pytest.mark.parametrize("far", [(0, 500, 0), (50, 0, 0)])
def test_tiles_that_do_not_meet_show_nothing(far):
    apart = {**moved("b.tif", far), "c.tif": (0, -500, 0)}
    assert view_seam(Grid(), (0, 1), apart) is None
    assert choose_seam(Grid(), STARTS, apart) is None
