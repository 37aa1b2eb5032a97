"""Levels, chunks and shards suit the volume, the memory and the writers."""

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AlignmentError
from gateway.volumes.box import Box
from gateway.volumes.layout import (
    CELL,
    check_aligned,
    check_levels,
    choose_layout,
    derived_count,
    level_box,
    shard_boxes,
)
from gateway.volumes.model import Channel, VolumeInfo


def image(shape, voxel_um=(1.0, 1.0, 1.0), dtype="uint16", channels=1):
    names = tuple(Channel(name=str(i)) for i in range(channels))
    return VolumeInfo(kind="image", dtype=dtype, shape=shape, voxel_um=voxel_um, channels=names)


extents = st.one_of(st.integers(1, 200), st.integers(200, 30_000))


@given(
    shape=st.tuples(extents, extents, extents),
    voxel_um=st.tuples(*[st.sampled_from([0.2, 0.5, 1.0, 2.0, 5.0])] * 3),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    memory=st.sampled_from([200_000_000, 2_000_000_000, 64_000_000_000]),
)
@settings(max_examples=100, deadline=None)
def test_any_volume_gets_levels_that_tasks_can_write_whole(shape, voxel_um, dtype, memory):
    info = image(shape, voxel_um, dtype)
    levels = choose_layout(info, memory)
    check_levels(replace(info, levels=levels))
    assert max(levels[-1].shape) <= 128
    assert len(levels) == 1 or max(levels[-2].shape) > 128
    for level in levels:
        assert level.shape == tuple(-(-n // f) for n, f in zip(shape, level.factor, strict=True))
        assert math.prod(level.chunk) <= CELL**3
        raw = math.prod(level.shard) * np.dtype(dtype).itemsize
        assert raw <= max(2**28, 4 * CELL**3 * 8)
        assert raw <= max(memory / 24, 8 * CELL**3)
    for level in levels[: derived_count(levels) + 1]:
        for box in islice(shard_boxes(levels[0]), 20):
            check_aligned(level, level_box(level, box), "piece")


def test_an_isotropic_volume_halves_all_axes():
    levels = choose_layout(image((1024, 1024, 512)))
    assert [level.factor for level in levels] == [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8)]
    assert {level.chunk for level in levels} == {(32, 64, 64)}


def test_an_anisotropic_volume_first_halves_its_fine_axes():
    levels = choose_layout(image((300, 2000, 2000), (5.0, 1.25, 1.25)))
    assert [level.factor for level in levels][:4] == [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8)]
    assert levels[2].voxel_um == (5.0, 5.0, 5.0)


def test_a_level_lies_half_a_voxel_further_in():
    levels = choose_layout(replace(image((300, 300, 300)), origin_um=(10.0, 0.0, -3.0)))
    assert levels[1].origin_um == (10.5, 0.5, -2.5)
    assert levels[2].origin_um == (11.5, 1.5, -1.5)


@pytest.mark.parametrize(
    ("dtype", "voxel_um", "chunk"),
    [
        ("uint8", (1.0, 1.0, 1.0), (64, 64, 64)),
        ("uint16", (0.5, 1.0, 1.0), (64, 32, 64)),
        ("uint16", (4.0, 1.0, 1.0), (32, 64, 64)),
        ("float32", (1.0, 1.0, 1.0), (32, 32, 64)),
    ],
)
def test_the_chunk_of_an_image_holds_at_most_256_kib(dtype, voxel_um, chunk):
    info = replace(image((512, 512, 512)), dtype=dtype, voxel_um=voxel_um)
    assert choose_layout(info)[0].chunk == chunk


def test_the_chunk_of_labels_holds_a_whole_cell():
    info = replace(image((512, 512, 512)), kind="labels", dtype="uint64")
    assert choose_layout(info)[0].chunk == (64, 64, 64)


def test_a_single_plane_gets_wide_chunks():
    levels = choose_layout(image((1, 20_000, 20_000)))
    assert levels[0].chunk == (1, 256, 512)
    assert levels[-1].shape[0] == 1


def test_workers_all_get_shards_of_a_small_volume():
    info = image((512, 512, 512))
    assert len(list(shard_boxes(choose_layout(info)[0]))) >= 16


def test_channels_share_the_memory_of_a_shard():
    one = choose_layout(image((4000, 4000, 4000)))[0].shard
    four = choose_layout(image((4000, 4000, 4000), channels=4))[0].shard
    assert math.prod(four) * 4 <= math.prod(one) * 2


def test_a_box_that_cuts_a_shard_is_refused_with_the_nearest_whole_one():
    level = choose_layout(image((512, 512, 500)))[0]
    assert level.shard == (128, 128, 256)
    check_aligned(level, Box((0, 0, 256), (128, 128, 500)), "m1/raw")
    expected = (
        r"box 0:100,0:128,256:500 of level 0 of m1/raw does not cover whole shards of "
        r"128 x 128 x 256; the nearest box of whole shards is 0:128,0:128,256:500"
    )
    with pytest.raises(AlignmentError, match=expected):
        check_aligned(level, Box((0, 0, 256), (100, 128, 500)), "m1/raw")
    with pytest.raises(AlignmentError, match="it is outside 0:512,0:512,0:500"):
        check_aligned(level, Box((512, 0, 0), (640, 256, 256)), "m1/raw")


def test_a_shard_that_cuts_cells_is_refused():
    info = image((512, 512, 512))
    base = choose_layout(info)[0]
    cut = replace(info, levels=(replace(base, shard=(96, 96, 96), chunk=(32, 32, 32)),))
    with pytest.raises(AlignmentError, match=r"shard \(96, 96, 96\) is not a multiple of chunk"):
        check_levels(cut)
