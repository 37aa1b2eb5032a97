"""Columns of Arrow tables as arrays, without loading pandas as pyarrow's own way does.

Loading it takes a process a second or more, which whoever is the first to look at a table waits.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def values_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return the values of a column; of numbers, what is empty is NaN."""
    kind = column.type
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if not numbers or column.null_count or not len(column):
        array: NDArray[Any] = column.to_numpy()
        return array
    # a chunk is handed over as it lies, and may be read only: what is returned is a copy
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])
