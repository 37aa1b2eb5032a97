"""Solves symmetric linear systems given by their entries: dense when small, sparse when large."""

import numpy as np
from numpy.typing import NDArray

_DENSE = 600
"""Unknowns up to which a dense solution is as quick, and loads no sparse library."""


def solve_entries(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    values: NDArray[np.float64],
    force: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Solve for the unknowns; entries at one place add up.

    Args:
        rows: Row of each entry.
        columns: Column of each entry.
        values: The entries.
        force: Right-hand side, one per unknown.
    """
    size = len(force)
    if size <= _DENSE:
        matrix = np.zeros((size, size))
        np.add.at(matrix, (rows, columns), values)
        return np.asarray(np.linalg.solve(matrix, force))
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import spsolve

    return np.asarray(spsolve(csc_array((values, (rows, columns)), shape=(size, size)), force))
