import numpy as np
import pytest

from gateway.service.truth import position_error, score_centres


def test_a_shift_that_all_tiles_share_is_no_error():
    true = {"a": (0, 0, 0), "b": (0, 0, 200)}
    moved = {"a": (5, 5, 5), "b": (5, 5, 205), "of another grid": (9, 9, 9)}
    assert position_error(moved, true) == 0


def test_a_tile_that_is_off_counts_in_voxels():
    true = {"a": (0, 0, 0), "b": (0, 0, 200)}
    assert position_error({"a": (0, 0, 0), "b": (0, 0, 202)}, true) == pytest.approx(1.0)


def test_the_stage_of_the_real_tiles_is_off_by_what_their_notes_say(data_dir):
    rows = (data_dir / "tiles_pub_cellfinder3d" / "positions.csv").read_text().splitlines()[1:]
    cells = [row.split(",") for row in rows]
    nominal = {cell[0]: tuple(map(float, cell[3:6])) for cell in cells}
    true = {cell[0]: tuple(map(float, cell[6:9])) for cell in cells}
    assert position_error(nominal, true) == pytest.approx(5.18, abs=0.01)


def test_every_centre_is_matched_once():
    true = np.array([[0.0, 0, 0], [0, 0, 10]])
    found = np.array([[0.0, 0, 1], [0, 0, 0.5], [0, 0, 30]])
    score = score_centres(found, true, reach_um=3)
    assert (score.matched, score.found, score.true) == (1, 3, 2)
    assert score.f1 == pytest.approx(2 / 5)
    assert score.rms_um == pytest.approx(0.5)


def test_nothing_found_where_nothing_is_is_perfect():
    none = np.empty((0, 3))
    assert score_centres(none, none, reach_um=1).f1 == 1
    assert score_centres(none, np.zeros((1, 3)), reach_um=1).f1 == 0


def test_what_the_border_cuts_may_be_found_or_missed():
    true = np.array([[0.0, 0, 0], [0, 0, 10], [0, 0, 20]])
    spare = np.array([False, True, True])
    score = score_centres(np.array([[0.0, 0, 0], [0, 0, 11]]), true, reach_um=3, spare=spare)
    assert (score.matched, score.found, score.true) == (1, 1, 1)
    assert score.f1 == 1
