"""Plans are data, made from metadata alone, and refused with numbers."""

import json
import math
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallError, NotFoundError, PlanError
from gateway.run.plan import Plan
from gateway.run.tiling import (
    Cost,
    choose_block,
    quiet_task,
    round_up,
    tile_box,
    tiles_count,
    voxels_with_halo,
    worker_bytes,
)
from gateway.volumes.box import Box, cut_boxes

SHAPES = st.tuples(*[st.integers(1, 300)] * 3)
TILES = st.tuples(*[st.integers(5, 90)] * 3)


def test_a_plan_says_what_a_run_would_do(go, store):
    before = store.list("m1")
    plan = go.plan("trial_blur", {"image": "m1/x"}, workers=1, block_voxels=(35, 64, 64))
    first = plan.passes[0]
    assert (first.name, first.kind, first.grid, first.halo) == (
        "trial_blur",
        "blocks",
        (70, 150, 200),
        (2, 2, 2),
    )
    assert first.voxels == 70 * 150 * 200
    assert first.bytes_written >= 2 * first.voxels
    assert first.bytes_read == 2 * voxels_with_halo(first.grid, first.block, first.halo)
    document = plan.to_json()
    assert document["memory_bytes"] == plan.worker_bytes <= 2_000_000_000
    assert document["blocks"] >= document["tasks"] == plan.tasks
    assert Plan.from_json(json.loads(json.dumps(document))) == plan
    assert store.list("m1") == before


def test_memory_that_cannot_suffice_is_refused_with_what_would(go):
    options = {"block_voxels": (70, 150, 200), "memory_bytes": 345_000_000}
    with pytest.raises(PlanError) as caught:
        go.plan("trial_blur", {"image": "m1/x"}, **options)
    message = str(caught.value)
    assert "pass 'trial_blur' needs 3" in message
    assert "with a halo of 2x2x2; the limit is 345,000,000: set memory to" in message
    assert ", or take blocks of" in message
    with pytest.raises(PlanError, match=r"the limit is 1,000: set memory to [\d,]+ bytes or more$"):
        go.plan("trial_blur", {"image": "m1/x"}, memory_bytes=1000)


def test_the_memory_that_a_refusal_names_does_suffice(go):
    with pytest.raises(PlanError) as caught:
        go.plan("trial_blur", {"image": "m1/x"}, memory_bytes=1000)
    enough = int(str(caught.value).partition("set memory to ")[2].split()[0].replace(",", ""))
    assert go.plan("trial_blur", {"image": "m1/x"}, memory_bytes=enough).workers == 1


def test_workers_are_fewer_where_memory_is_short(go):
    plan = go.plan("trial_blur", {"image": "m1/x"}, workers=3, memory_bytes=1_100_000_000)
    assert plan.workers == 2
    assert go.plan("trial_blur", {"image": "m1/x"}, workers=3).workers == 3


def test_small_work_starts_no_second_process(go, store, make_image, monkeypatch):
    make_image(store, "m1/small.ome.zarr", (64, 130, 150))
    inputs = {"image": "m1/small"}
    assert go.plan("trial_blur", {"image": "m1/x"}, inputs=inputs).workers == 1
    assert go.plan("trial_blur", {"image": "m1/x"}, inputs=inputs, workers=2).workers == 2
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert go.plan("trial_blur", {"image": "m1/x"}).workers == 1
    monkeypatch.setattr("gateway.run.plan._SMALL_VOXELS", 1_000_000)
    assert go.plan("trial_blur", {"image": "m1/x"}).workers == 2


def test_bad_options_and_inputs_are_named(go):
    for options, words in (
        ({"workers": 0}, "workers is 0; expected 1 or more"),
        ({"block_voxels": (0, 1, 1)}, "has an empty axis"),
        ({"memory_bytes": 0}, "memory is 0 bytes"),
    ):
        with pytest.raises(PlanError, match=words):
            go.plan("trial_blur", {"image": "m1/x"}, **options)
    with pytest.raises(NotFoundError, match="input 'image': there is no m1/none in the store"):
        go.plan("trial_blur", {"image": "m1/x"}, inputs={"image": "m1/none"})
    go("trial_find", {"peaks": "m1/peaks"}, workers=1)
    with pytest.raises(CallError, match="input 'image': m1/peaks is of kind points, expected ima"):
        go.plan("trial_blur", {"image": "m1/x"}, inputs={"image": "m1/peaks"})


@given(grid=SHAPES, tile=TILES)
def test_tiles_are_the_boxes_of_a_cut_in_order(grid, tile):
    boxes = list(islice(cut_boxes(Box.of_shape(grid), tile), 200))
    assert tiles_count(grid, tile) >= len(boxes)
    assert [tile_box(grid, tile, i) for i in range(len(boxes))] == boxes


@given(
    grid=st.tuples(*[st.integers(1, 60)] * 3), tile=TILES, halo=st.tuples(*[st.integers(0, 9)] * 3)
)
def test_voxels_with_halo_are_counted_without_cutting(grid, tile, halo):
    boxes = cut_boxes(Box.of_shape(grid), tile)
    counted = sum(box.grow(halo, grid).voxels for box in boxes)
    assert voxels_with_halo(grid, tile, halo) == counted


@given(grid=SHAPES, unit=TILES, block=TILES)
def test_tasks_are_whole_units_that_hold_a_block(grid, unit, block):
    task = round_up(block, unit, grid)
    for n, u, b, t in zip(grid, unit, block, task, strict=True):
        assert t >= min(n, b)
        assert t == n or t % u == 0


@given(grid=SHAPES, workers=st.integers(1, 16))
def test_a_pass_that_writes_nothing_has_work_for_all(grid, workers):
    task = quiet_task(grid, (64, 64, 64), workers)
    assert all(t == n or t % 64 == 0 for t, n in zip(task, grid, strict=True))
    smallest = round_up((64, 64, 64), (64, 64, 64), grid)
    assert task == smallest or tiles_count(grid, task) >= 4 * workers


@given(halo=st.tuples(*[st.integers(0, 30)] * 3), budget=st.integers(2 * 10**8, 3 * 10**9))
def test_a_chosen_block_keeps_to_its_memory(halo, budget):
    cost = Cost(halo=halo, bytes_per_voxel=50.0, written_per_voxel=2)
    block = choose_block(cost, (256, 256, 256), budget)
    if block is None:
        assert worker_bytes(cost, (256, 256, 256), (32, 32, 32)) > budget
    else:
        assert worker_bytes(cost, (256, 256, 256), block) <= budget
        assert math.prod(block) <= 256**3
