from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.algo.placement import PairTable, place_tiles

NOMINAL = np.array([[0.0, 100 * r, 100 * c] for r, c in product(range(3), range(4))])
ENDS = np.array(
    [(4 * r + c, 4 * r + c + 1) for r in range(3) for c in range(3)]
    + [(4 * r + c, 4 * r + c + 4) for r in range(2) for c in range(4)]
)
CORNERS = {0, 3, 8, 11}


def table(shift, *, score=50.0, confidence=0.8, ends=ENDS, others=None):
    """Make a table of one candidate per pair, or of two where `others` is given."""
    shifts = np.stack([shift] if others is None else [shift, others], axis=1)
    rows = shifts.shape[:2]
    return PairTable(
        tiles=ends,
        shift=shifts,
        deviation=np.full(shifts.shape, 0.02),
        score=np.broadcast_to(np.asarray(score, float).reshape(-1, 1), rows).copy(),
        confidence=np.broadcast_to(np.asarray(confidence, float).reshape(-1, 1), rows).copy(),
    )


def truth(seed=0):
    true = NOMINAL + np.random.default_rng(seed).normal(0, 5, NOMINAL.shape)
    return true, true[ENDS[:, 1]] - true[ENDS[:, 0]]


def rms(positions, true):
    off = positions - true
    off = off - off.mean(axis=0)
    return np.sqrt((off**2).sum(axis=1).mean())


def test_agreeing_pairs_give_the_truth_and_the_mean_of_the_stage():
    true, shift = truth()
    placed = place_tiles(NOMINAL, table(shift), min_confidence=0.2)
    assert rms(placed.positions, true) < 1e-3
    assert np.allclose((placed.positions - NOMINAL).mean(axis=0), 0, atol=1e-3)
    assert placed.measured.all()
    assert placed.in_cycle.all()


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, len(ENDS) - 1), max_size=4), st.integers(0, 1000))
def test_a_few_confident_lies_are_found_out(liars, seed):
    true, shift = truth(seed)
    wrong = shift.copy()
    random = np.random.default_rng(seed)
    for liar in liars:
        wrong[liar] += random.uniform(4, 20, 3) * random.choice([-1, 1], 3)
    placed = place_tiles(NOMINAL, table(wrong), min_confidence=0.2)
    confirmed = placed.in_cycle & (placed.chosen >= 0)
    if all_linked(set(range(len(ENDS))) - liars):
        assert not (set(np.flatnonzero(confirmed).tolist()) & liars) or len(liars) > 2
    if len(liars) <= 1:
        # which of the two pairs of a corner lies cannot be told: then its place is in doubt
        corner = sorted(CORNERS & set(ENDS[sorted(liars)].ravel().tolist()))
        assert rms(np.delete(placed.positions, corner, 0), np.delete(true, corner, 0)) < 0.05
        for tile in corner:
            assert not confirmed[(tile == ENDS).any(axis=1)].any()


def all_linked(rows):
    reached, grown = {0}, True
    while grown:
        grown = False
        for first, second in ENDS[sorted(rows)].tolist():
            if (first in reached) != (second in reached):
                reached |= {first, second}
                grown = True
    return len(reached) == len(NOMINAL)


def test_a_pair_may_turn_to_its_second_candidate():
    true, shift = truth()
    best = shift.copy()
    best[5] += 12
    placed = place_tiles(NOMINAL, table(best, others=shift), min_confidence=0.2)
    assert placed.chosen[5] == 1
    assert rms(placed.positions, true) < 1e-3


def test_an_unlinked_tile_takes_the_stage_error_of_its_neighbours():
    _, shift = truth()
    common = np.add(NOMINAL, [3, -2, 4])
    common[0] = NOMINAL[0] + 50
    shift = common[ENDS[:, 1]] - common[ENDS[:, 0]]
    lost = (ENDS == 11).any(axis=1)
    score = np.where(lost, 0.0, 50.0)
    placed = place_tiles(NOMINAL, table(shift, score=score), min_confidence=0.2)
    moved = placed.positions - NOMINAL
    assert placed.measured.tolist() == [True] * 11 + [False]
    assert np.allclose(moved[11], (moved[7] + moved[10]) / 2, atol=0.01)


def test_doubtful_pairs_that_close_a_cycle_confirm_one_another():
    true, shift = truth()
    placed = place_tiles(NOMINAL, table(shift, confidence=0.05), min_confidence=0.2)
    assert placed.measured.all()
    assert rms(placed.positions, true) < 1e-3


def test_groups_are_joined_by_pairs_that_agree():
    true, shift = truth()
    across = (ENDS[:, 0] < 8) & (ENDS[:, 1] >= 8)
    wrong = shift + np.random.default_rng(1).uniform(5, 15, shift.shape)
    best = np.where(across[:, None], wrong, shift)
    doubt = np.where(across, 0.0, 0.8)
    placed = place_tiles(NOMINAL, table(best, confidence=doubt, others=shift), min_confidence=0.2)
    assert (placed.chosen[across] == 1).all()
    assert rms(placed.positions, true) < 1e-3


@pytest.mark.parametrize("count", [1, 3])
def test_without_pairs_tiles_stay_where_the_stage_put_them(count):
    nothing = table(np.zeros((0, 3)), ends=np.zeros((0, 2), int))
    placed = place_tiles(NOMINAL[:count], nothing, min_confidence=0.2)
    assert np.array_equal(placed.positions, NOMINAL[:count])


def test_the_order_of_pairs_does_not_matter():
    _, shift = truth()
    noisy = shift + np.random.default_rng(2).normal(0, 0.1, shift.shape)
    order = np.random.default_rng(3).permutation(len(ENDS))
    one = place_tiles(NOMINAL, table(noisy), min_confidence=0.2)
    other = place_tiles(NOMINAL, table(noisy[order], ends=ENDS[order]), min_confidence=0.2)
    assert np.allclose(one.positions, other.positions, atol=2e-4)
