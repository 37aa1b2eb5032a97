import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.algo.tilegrid import plan_tiles


@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    overlap=st.floats(0.05, 0.4),
    seed=st.integers(0, 99),
)
def test_every_tile_lies_inside_the_volume_near_where_the_stage_says(rows, columns, overlap, seed):
    shape, error = (30, 300, 400), (2, 6, 6)
    cutting = plan_tiles(shape, rows=rows, columns=columns, overlap=overlap, error=error, seed=seed)
    assert len(cutting.tiles) == rows * columns
    for tile in cutting.tiles:
        for axis in range(3):
            assert 0 <= tile.start[axis] <= shape[axis] - cutting.tile[axis]
            assert tile.start[axis] == tile.true[axis] + cutting.margin[axis]
            # rounding of the last step may cost one voxel more
            assert abs(tile.true[axis] - tile.nominal[axis]) <= error[axis] + rows + columns


def test_neighbours_share_the_overlap_asked_for():
    cutting = plan_tiles((20, 200, 400), rows=1, columns=2, overlap=0.1, error=(0, 0, 0), seed=1)
    step = cutting.tiles[1].nominal[2]
    assert 1 - step / cutting.tile[2] == pytest.approx(0.1, abs=0.01)
