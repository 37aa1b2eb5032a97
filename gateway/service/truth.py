"""How far results are from the truth, where it is known: tile positions and nuclei."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well found centres agree with true ones."""

    found: int
    true: int
    matched: int
    rms_um: float
    """Root mean square distance of the matched pairs."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there is nothing to find or found."""
        total = self.found + self.true
        return 2 * self.matched / total if total else 1.0


def position_error(
    positions: Mapping[str, Sequence[float]], true: Mapping[str, Sequence[float]]
) -> float:
    """Return the rms distance of tile positions from the true ones, in voxels.

    A shift that all tiles share is no error: it only says where the volume begins.

    Args:
        positions: File name to position, zyx, in voxels.
        true: The same in truth; files in only one of the two are left out.
    """
    names = sorted(positions.keys() & true.keys())
    apart = np.array([np.subtract(positions[name], true[name]) for name in names], float)
    apart -= apart.mean(axis=0)
    return float(np.sqrt((apart**2).sum(axis=1).mean()))


def score_centres(
    found: NDArray[Any],
    true: NDArray[Any],
    *,
    reach_um: float,
    spare: NDArray[np.bool_] | None = None,
) -> Score:
    """Match found and true centres one to one, nearest pairs first.

    Args:
        found: Rows zyx in micrometres.
        true: Rows zyx in micrometres, in the same frame.
        reach_um: Farther apart, two are no pair.
        spare: Which true ones may be found or missed alike, such as those cut by the border.
    """
    spared = np.zeros(len(true), bool) if spare is None else spare
    apart: list[float] = []
    surplus = 0
    if len(found) and len(true):
        pairs = cKDTree(found).sparse_distance_matrix(
            cKDTree(true), reach_um, output_type="ndarray"
        )
        free_found, free_true = np.ones(len(found), bool), np.ones(len(true), bool)
        # a true centre that must be found comes before one that may
        for pair in pairs[np.lexsort((pairs["v"], spared[pairs["j"]]))]:
            if free_found[pair["i"]] and free_true[pair["j"]]:
                free_found[pair["i"]] = free_true[pair["j"]] = False
                if spared[pair["j"]]:
                    surplus += 1
                else:
                    apart.append(float(pair["v"]))
    return Score(
        found=len(found) - surplus,
        true=int(len(true) - spared.sum()),
        matched=len(apart),
        rms_um=float(np.sqrt(np.mean(np.square(apart)))) if apart else 0.0,
    )
