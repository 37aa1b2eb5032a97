"""What blocks give comes back from a marker as it was."""

import numpy as np
import pytest

from gateway.errors import CorruptionError, RunError
from gateway.run.packing import concatenate, from_bytes, pack_blocks, to_bytes, unpack_blocks

BLOCKS = [
    {"a": np.arange(6).reshape(2, 3), "n": np.asarray(4.5), "name": np.asarray(["x"])},
    {"a": np.zeros((0, 3), np.int64), "n": np.asarray(1.5), "name": np.asarray(["longer", "y"])},
    {},
]


def test_blocks_go_through_a_marker_unchanged():
    back = list(unpack_blocks(from_bytes(to_bytes(pack_blocks(BLOCKS)), "marker")))
    assert len(back) == 3
    for block, given in zip(back, BLOCKS, strict=True):
        assert list(block) == list(given)
        for name, array in given.items():
            assert block[name].shape == array.shape
            assert (block[name] == array).all()


def test_joining_keeps_the_order_of_blocks():
    joined = concatenate(BLOCKS)
    assert joined["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert joined["n"].tolist() == [4.5, 1.5]
    assert joined["name"].tolist() == ["x", "longer", "y"]


def test_a_block_that_differs_in_kind_is_refused():
    with pytest.raises(RunError, match="array 'a' differs between blocks: axes"):
        pack_blocks([{"a": np.zeros(3)}, {"a": np.zeros((3, 1))}])
    with pytest.raises(RunError, match=r"dtypes \['float64', 'int64'\]; give the same in every"):
        pack_blocks([{"a": np.zeros(3)}, {"a": np.zeros(3, np.int64)}])
    with pytest.raises(RunError, match="array 'a' holds Python objects"):
        to_bytes({"a": np.asarray([None])})


def test_a_broken_marker_is_named():
    data = to_bytes(pack_blocks(BLOCKS))
    with pytest.raises(CorruptionError, match="m1/x is broken: "):
        from_bytes(data[: len(data) // 2], "m1/x")
