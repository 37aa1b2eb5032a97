import io

import numpy as np
import pytest
from PIL import Image

from gateway.algo.pictures import (
    Rings,
    choose_scale_bar,
    choose_window,
    draw_image,
    draw_overlay,
    scale_to_bytes,
)

IMAGE = np.random.default_rng(0).integers(0, 1000, (60, 90)).astype(np.uint16)


def decode(png):
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_picture_keeps_its_proportions_and_is_the_same_each_time():
    first = draw_image(IMAGE, window=choose_window(IMAGE), width=900)
    assert decode(first).shape == (600, 900, 3)
    assert first == draw_image(IMAGE, window=choose_window(IMAGE), width=900)


def test_rings_and_a_scale_bar_appear():
    dark = np.zeros((60, 90), np.uint16)
    rings = Rings(centres=np.array([[30.0, 45.0]]), radius=8, values=np.array([1.0]))
    plain = decode(draw_image(dark, window=(0, 1), width=450))
    ringed = decode(draw_image(dark, window=(0, 1), rings=rings, width=450))
    barred = decode(draw_image(dark, window=(0, 1), scale_bar=choose_scale_bar(90, 2.0), width=450))
    assert not plain.any()
    rows, across = np.nonzero(ringed.any(axis=-1))
    assert rows.mean() == pytest.approx(152, abs=6)
    assert across.mean() == pytest.approx(227, abs=6)
    assert barred[-60:, -200:].any()


def test_no_rings_are_no_error():
    empty = Rings(centres=np.empty((0, 2)), radius=8, values=np.empty(0))
    assert draw_image(IMAGE, window=(0, 1000), rings=empty, width=90)


def test_an_even_image_has_a_window():
    low, high = choose_window(np.full((5, 5), 7))
    assert low < high


@pytest.mark.parametrize(("pixel_um", "label"), [(0.26, "2 µm"), (2.0, "20 µm"), (25.0, "200 µm")])
def test_a_scale_bar_is_a_round_length(pixel_um, label):
    bar = choose_scale_bar(90, pixel_um)
    assert bar.label == label
    assert 0 < bar.pixels < 90


def test_an_overlay_is_grey_where_both_agree_and_coloured_where_not():
    bright, dark = np.full((4, 4), 10), np.zeros((4, 4))
    same = decode(draw_overlay(bright, bright, window=(0, 10), zoom=2))
    assert same.shape == (8, 8, 3)
    assert (same == 255).all()
    assert (decode(draw_overlay(bright, dark, window=(0, 10)))[0, 0] == (255, 0, 255)).all()


def test_intensities_outside_the_window_are_clipped():
    assert scale_to_bytes(np.array([-5, 0, 5, 10, 99]), (0, 10)).tolist() == [0, 0, 128, 255, 255]
