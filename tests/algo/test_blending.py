import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.algo.blending import Blend, face_weights, lay_canvas, meeting_tiles

SHAPE = (5, 9, 11)
PLACES = np.array([[0.0, 0, 0], [1, 2, 7], [-1, 6, 3]])


def blend(tiles, start, stop, dtype="uint16", ramp=(1, 4, 4)):
    """Join tiles in the box from start to stop of their canvas."""
    canvas = lay_canvas(PLACES, np.array([SHAPE] * 3))
    joined = Blend.of_shape(tuple(np.subtract(stop, start)))
    weights = face_weights(SHAPE, ramp)
    factors = np.linspace(0.9, 1.1, SHAPE[1]), np.linspace(1.1, 0.9, SHAPE[2])
    for index in meeting_tiles(canvas, np.array([SHAPE] * 3), start, stop):
        corner = canvas.corners[index]
        low = np.maximum(corner, start)
        high = np.minimum(corner + SHAPE, stop)
        spans = tuple(map(slice, low - corner, high - corner))
        joined.add(
            tiles[index][spans],
            tuple((low - start).tolist()),
            tuple(w[s] for w, s in zip(weights, spans, strict=True)),
            (factors[0][spans[1]], factors[1][spans[2]]),
        )
    return joined.finish(dtype)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 8), st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(["uint8", "uint16", "int16", "float32"]),
)
def test_blocks_of_any_shape_give_the_same_bits(block, dtype):
    random = np.random.default_rng(0)
    tiles = [(random.random(SHAPE) * 200).astype(dtype) for _ in PLACES]
    shape = lay_canvas(PLACES, np.array([SHAPE] * 3)).shape
    whole = blend(tiles, (0, 0, 0), shape, dtype)
    cut = np.empty_like(whole)
    for start in np.ndindex(*(-(-n // b) for n, b in zip(shape, block, strict=True))):
        low = np.multiply(start, block)
        high = np.minimum(low + block, shape)
        cut[tuple(map(slice, low, high))] = blend(tiles, tuple(low), tuple(high), dtype)
    assert np.array_equal(cut, whole)


@pytest.mark.parametrize("ramp", [(1, 1, 1), (2, 4, 30)])
def test_one_tile_keeps_its_values_exactly(ramp):
    tile = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    joined = Blend.of_shape(SHAPE)
    joined.add(tile, (0, 0, 0), face_weights(SHAPE, ramp), (np.ones(9), np.ones(11)))
    assert np.array_equal(joined.finish("float32"), tile)


def test_values_are_clipped_and_what_no_tile_reaches_is_zero():
    joined = Blend.of_shape((1, 1, 3))
    bright = np.full((1, 1, 2), 250, np.uint8)
    factors = (np.ones(1), np.array([2.0, 1.0]))
    joined.add(bright, (0, 0, 0), face_weights((1, 1, 2), (1, 1, 1)), factors)
    assert joined.finish("uint8").ravel().tolist() == [255, 250, 0]


def test_the_fraction_that_all_tiles_share_moves_the_canvas_and_no_tile():
    places = np.array([[0.0, 10, 20], [3, 17, 2], [-2, 0, 9]])
    whole = lay_canvas(places, np.array([SHAPE] * 3))
    for fraction in (0.3, 0.4999, 0.5, 0.83):
        jitter = np.random.default_rng(2).uniform(-0.05, 0.05, places.shape)
        moved = lay_canvas(places + fraction + jitter, np.array([SHAPE] * 3))
        assert np.array_equal(moved.corners, whole.corners)
        assert np.allclose(moved.origin, np.add(whole.origin, fraction), atol=0.06)


def test_weights_rise_from_the_faces():
    z, y, _ = face_weights((3, 6, 8), (1, 3, 3))
    assert z.tolist() == [1, 1, 1]
    assert np.allclose(y, [1 / 6, 0.5, 5 / 6, 5 / 6, 0.5, 1 / 6])
