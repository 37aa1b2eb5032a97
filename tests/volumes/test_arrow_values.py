"""Columns of Arrow tables as arrays: the same values, and no pandas loaded for them."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from gateway.volumes.arrow_values import values_of

LOADED = """
import sys
import pyarrow as pa
from gateway.volumes.arrow_values import values_of
piece = pa.Array.from_buffers(pa.float64(), 2, [None, pa.py_buffer(bytes(16))])
assert values_of(pa.chunked_array([piece, piece])).tolist() == [0.0] * 4
sys.exit("pandas" in sys.modules)
"""


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16", "int64", "uint64"])
def test_numbers_are_as_they_lie(dtype) -> None:
    numbers = np.arange(7, dtype=dtype)
    column = pa.chunked_array([pa.array(numbers[:3]), pa.array(numbers[1:]).slice(2)])
    values = values_of(column)
    assert values.dtype == dtype
    assert values.tolist() == numbers.tolist()
    values[0] = 5  # a copy, which one may change
    assert column[0].as_py() == 0


def test_what_is_empty_is_no_number() -> None:
    values = values_of(pa.chunked_array([pa.array([1, None, 3])]))
    assert np.isnan(values[1])
    assert values_of(pa.chunked_array([], pa.float64())).tolist() == []
    assert values_of(pa.chunked_array([pa.array([True, False])])).tolist() == [True, False]


def test_pandas_is_not_loaded() -> None:
    assert subprocess.run([sys.executable, "-c", LOADED], check=False).returncode == 0
