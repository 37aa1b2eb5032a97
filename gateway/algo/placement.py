"""Where all tiles of a grid lie, from what pairs of them say: robust least squares."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.algo.normal_equations import solve_entries
from gateway.algo.tile_graph import find_bridges, find_groups

TOLERANCE = 1.0
"""Voxels by which a good pair may disagree with the rest of the grid."""
FLOOR = 0.03
"""Smallest believable standard deviation of a measured displacement, voxels."""
WEAKEST_SCORE = 4.0
"""Deviations from chance below which not even agreement with the grid saves a candidate."""
_NOMINAL = 1e-5  # weight of the stage where nothing was measured
_ANCHOR = 1e-10  # fixes the common offset: mean stage error zero
_LEAST_TRUST = 0.05  # of a pair that only others made believable
_ROUNDS = 60
_COOLING = 1.4
_LOOKS = 4
_DECIMALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """Pairs of tiles and the displacements they may have, most believable first.

    Pairs lie along the first axis of all arrays, candidates along the second.
    """

    tiles: NDArray[np.int64]
    """First and second tile, `(pairs, 2)`."""
    shift: NDArray[np.float64]
    """Displacement of the second tile, voxels zyx, `(pairs, candidates, 3)`; NaN where none."""
    deviation: NDArray[np.float64]
    """Standard deviation of the shift, voxels, `(pairs, candidates, 3)`."""
    score: NDArray[np.float64]
    """Deviations from chance, `(pairs, candidates)`."""
    confidence: NDArray[np.float64]
    """0 to 1, `(pairs, candidates)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The solved grid."""

    positions: NDArray[np.float64]
    """Of the first voxel of each tile, in the frame of the nominal positions, `(tiles, 3)`."""
    chosen: NDArray[np.int64]
    """Per pair the candidate used, or -1."""
    residual: NDArray[np.float64]
    """Per pair, measured (chosen or best candidate) minus solved displacement, voxels."""
    in_cycle: NDArray[np.bool_]
    """Per pair, whether other used pairs link its tiles too and so confirm it."""
    measured: NDArray[np.bool_]
    """Per tile, whether a used pair links it to the largest group of tiles."""


def place_tiles(
    nominal: NDArray[np.float64], pairs: PairTable, *, min_confidence: float
) -> Placement:
    """Solve for the positions of all tiles.

    Pairs under the confidence cut start unused. Outliers are found by graduated non-convexity
    with Geman-McClure weights (doi:10.1109/LRA.2020.2965893); a pair whose best candidate the
    grid refutes, or that was cut, gets a second look at its other candidates. Tiles and groups of
    tiles that no pair links take the stage error of their neighbours; the common offset makes
    the mean stage error zero.

    Args:
        nominal: Stage positions, voxels zyx, `(tiles, 3)`.
        pairs: What was measured.
        min_confidence: Cut on the confidence of a pair's best candidate.
    """
    count = len(pairs.tiles)
    if count == 0:
        nothing = np.zeros(0, np.int64)
        return Placement(
            positions=nominal.copy(),
            chosen=nothing,
            residual=np.zeros((0, 3)),
            in_cycle=nothing.astype(bool),
            measured=np.arange(len(nominal)) == 0,
        )
    usable = np.isfinite(pairs.shift[:, :, 0]) & (pairs.score >= WEAKEST_SCORE)
    chosen = np.where(usable[:, 0] & (pairs.confidence[:, 0] >= min_confidence), 0, -1)
    chosen = _settle(nominal, pairs, _reject(nominal, pairs, chosen), usable)
    if find_groups(len(nominal), pairs.tiles[chosen >= 0]).any():
        chosen = _settle(nominal, pairs, _try_doubtful(nominal, pairs, chosen, usable), usable)
    errors = _solve(nominal, pairs, chosen, np.ones(count))
    measured, in_cycle = _links(len(nominal), pairs.tiles, chosen >= 0)
    return Placement(
        positions=np.round(nominal + errors, _DECIMALS),
        chosen=chosen,
        residual=_disagreement(nominal, pairs, np.maximum(chosen, 0), errors),
        in_cycle=in_cycle,
        measured=measured,
    )


def _settle(
    nominal: NDArray[np.float64],
    pairs: PairTable,
    chosen: NDArray[np.int64],
    usable: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Let the grid choose among candidates until nothing changes."""
    for _ in range(_LOOKS):
        again = _second_look(nominal, pairs, chosen, usable)
        again = _join_groups(nominal, pairs, again, usable)
        if (again == chosen).all():
            break
        chosen = _reject(nominal, pairs, again)
    return chosen


def _try_doubtful(
    nominal: NDArray[np.float64],
    pairs: PairTable,
    chosen: NDArray[np.int64],
    usable: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Use the best candidates of doubtful pairs too, where they close a cycle."""
    tried = np.where((chosen < 0) & usable[:, 0], 0, chosen)
    kept = _reject(nominal, pairs, tried)
    _, in_cycle = _links(len(nominal), pairs.tiles, kept >= 0)
    return np.where((chosen >= 0) | ~in_cycle, chosen, kept)


def _stage_steps(
    nominal: NDArray[np.float64], pairs: PairTable, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return measured minus nominal displacement per pair; 0 where none is chosen."""
    rows = np.arange(len(chosen))
    shift = pairs.shift[rows, np.maximum(chosen, 0)]
    step = shift - (nominal[pairs.tiles[:, 1]] - nominal[pairs.tiles[:, 0]])
    return np.where((chosen >= 0)[:, None], step, 0.0)


def _disagreement(
    nominal: NDArray[np.float64],
    pairs: PairTable,
    chosen: NDArray[np.int64],
    errors: NDArray[np.float64],
) -> NDArray[np.float64]:
    first, second = pairs.tiles.T
    return np.asarray(_stage_steps(nominal, pairs, chosen) - (errors[second] - errors[first]))


def _solve(
    nominal: NDArray[np.float64],
    pairs: PairTable,
    chosen: NDArray[np.int64],
    trust: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the stage error of each tile by weighted least squares on stage steps."""
    first, second = pairs.tiles.T
    tiles, used = len(nominal), chosen >= 0
    steps = _stage_steps(nominal, pairs, chosen)
    deviation = pairs.deviation[np.arange(len(chosen)), np.maximum(chosen, 0)]
    strength = 1 / (deviation**2 + FLOOR**2)
    strength = np.where(used[:, None], trust[:, None] * strength * FLOOR**2, 0.0) + _NOMINAL
    # a used pair keeps the stage's weak say only where it is not trusted at all
    pull = np.where(used[:, None], steps * (strength - _NOMINAL) / strength, 0.0)
    errors = np.empty((tiles, 3))
    rows = np.concatenate((first, second, first, second, np.arange(tiles)))
    columns = np.concatenate((first, second, second, first, np.arange(tiles)))
    for axis in range(3):
        weight = strength[:, axis]
        force = np.zeros(tiles)
        np.add.at(force, second, weight * pull[:, axis])
        np.add.at(force, first, -weight * pull[:, axis])
        entries = np.concatenate((weight, weight, -weight, -weight, np.full(tiles, _ANCHOR)))
        errors[:, axis] = solve_entries(rows, columns, entries, force)
    return errors


def _reject(
    nominal: NDArray[np.float64], pairs: PairTable, chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Drop the chosen pairs that the rest of the grid refutes."""
    used = chosen >= 0
    belief = pairs.confidence[np.arange(len(chosen)), np.maximum(chosen, 0)]
    trust = np.maximum(belief, _LEAST_TRUST)
    errors = _solve(nominal, pairs, chosen, trust)
    far = np.abs(_disagreement(nominal, pairs, chosen, errors)).max(axis=1)
    softness = max(1.0, 2 * float(far[used].max(initial=0.0)) ** 2 / TOLERANCE**2)
    for _ in range(_ROUNDS):
        soft = softness * TOLERANCE**2
        errors = _solve(nominal, pairs, chosen, trust * (soft / (far**2 + soft)) ** 2)
        far = np.abs(_disagreement(nominal, pairs, chosen, errors)).max(axis=1)
        if softness <= 1.0:
            break
        softness = max(1.0, softness / _COOLING)
    spread = pairs.deviation[np.arange(len(chosen)), np.maximum(chosen, 0)].max(axis=1)
    return np.where(used & (far <= TOLERANCE + np.minimum(2 * spread, TOLERANCE)), chosen, -1)


def _second_look(
    nominal: NDArray[np.float64],
    pairs: PairTable,
    chosen: NDArray[np.int64],
    usable: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Give unused pairs the candidate that the grid, through other pairs, foretells."""
    errors = _solve(nominal, pairs, chosen, np.ones(len(chosen)))
    group = find_groups(len(nominal), pairs.tiles[chosen >= 0])
    first, second = pairs.tiles.T
    foretold = (nominal + errors)[second] - (nominal + errors)[first]
    far = np.abs(pairs.shift - foretold[:, None]).max(axis=2)
    far = np.where(usable & (group[first] == group[second])[:, None], far, np.inf)
    nearest = far.argmin(axis=1)
    fits = far[np.arange(len(far)), nearest] <= TOLERANCE
    return np.where((chosen < 0) & fits, nearest, chosen)


def _join_groups(
    nominal: NDArray[np.float64],
    pairs: PairTable,
    chosen: NDArray[np.int64],
    usable: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Link groups of tiles by pairs that are unsure one by one but agree on where to go.

    Two or more pairs between the same two groups each propose offsets; wrong proposals seldom
    agree to a voxel. The strongest agreement is taken.
    """
    placed = nominal + _solve(nominal, pairs, chosen, np.ones(len(chosen)))
    group = find_groups(len(nominal), pairs.tiles[chosen >= 0])
    ends = group[pairs.tiles]
    offset = pairs.shift - (placed[pairs.tiles[:, 1]] - placed[pairs.tiles[:, 0]])[:, None]
    offset = np.where((ends[:, 0] > ends[:, 1])[:, None, None], -offset, offset)
    open_pairs = np.flatnonzero((chosen < 0) & (ends[:, 0] != ends[:, 1]) & usable.any(axis=1))
    between: dict[tuple[int, int], list[int]] = {}
    for row in open_pairs.tolist():
        low, high = sorted(ends[row].tolist())
        between.setdefault((low, high), []).append(row)
    joined = chosen.copy()
    for rows in between.values():
        for row, candidate in _agreement(offset[rows], pairs.score[rows], usable[rows]):
            joined[rows[row]] = candidate
    return joined


def _agreement(
    offset: NDArray[np.float64], score: NDArray[np.float64], usable: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Return row and candidate of the pairs in the strongest agreement; none if all differ."""
    best: list[tuple[int, int]] = []
    strongest = 0.0
    for row, candidate in zip(*np.nonzero(usable), strict=True):
        far = np.abs(offset - offset[row, candidate]).max(axis=2)
        power = np.where(usable & (far <= TOLERANCE), score**2, 0.0)
        rows = np.flatnonzero(power.max(axis=1) > 0)
        strength = float(power.max(axis=1).sum())
        if len(rows) > 1 and strength > strongest:
            strongest = strength
            best = [(int(r), int(power[r].argmax())) for r in rows]
    return best


def _links(
    tiles: int, ends: NDArray[np.int64], used: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    group = find_groups(tiles, ends[used])
    measured = group == int(np.bincount(group).argmax())
    in_cycle = used.copy()
    in_cycle[used] = ~find_bridges(tiles, ends[used])
    return measured, in_cycle
