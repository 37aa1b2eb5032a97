"""Stitching: places against known truth, brightness, holes, odd input, and the law of blocks."""

import csv
import io
import json
from itertools import product

import numpy as np
import pytest

from gateway.errors import CallError
from gateway.volumes.box import Box

TILE = (24, 70, 88)
NOMINAL = np.array([[0, 60 * r, 74 * c] for r, c in product(range(2), range(2))])
MOVED = np.array([[1, -2, 3], [-1, 0, -4], [2, 5, 0], [0, -3, 2]])


@pytest.fixture
def grid(scene, cut):
    return cut(scene, NOMINAL, NOMINAL + MOVED, TILE)


def whole(volume):
    return volume.read(Box.of_shape(volume.info.shape), channel=0)


def report(store, name):
    return store.get(f"m1/fused.report/{name}")


def test_tiles_go_where_they_were_taken(stitch, grid):
    _, places = stitch(grid.voxels, grid.nominal)
    assert grid.error(places["voxels"]) < 0.05
    assert not places["by_neighbours"].any()
    assert (places["confidence"] > 0.3).all()
    assert (places["residual"] < 0.2).all()


def test_positions_are_also_given_in_micrometres(stitch, grid):
    volume, places = stitch(grid.voxels, grid.nominal, voxel_um=(4.0, 2.0, 2.0))
    assert np.allclose(places["z_um"], 4 * places["z"])
    assert np.allclose(places["x_um"], 2 * places["x"])
    corner = np.array([places[f"{axis}_um"].min() for axis in "zyx"])
    assert np.abs(corner - volume.info.origin_um).max() < 0.2


def test_joined_tiles_equal_the_scene_they_were_cut_from(stitch, scene, cut):
    grid = cut(scene, NOMINAL, NOMINAL + MOVED, TILE, noise=0.0)
    volume, _ = stitch(grid.voxels, grid.nominal, {"correct_illumination": False})
    true = grid.true - grid.true.min(axis=0)
    extent = (true.max(axis=0) + TILE).astype(int)
    assert volume.info.shape == tuple(extent)
    covered = np.zeros(extent, bool)
    for place in true.astype(int):
        covered[tuple(slice(a, a + n) for a, n in zip(place, TILE, strict=True))] = True
    expected = np.where(covered, np.rint(scene[tuple(slice(n) for n in extent)]), 0)
    assert np.array_equal(whole(volume), expected)


def test_vignette_and_gain_are_evened_out(stitch, scene, cut):
    grid = cut(scene, NOMINAL, NOMINAL + MOVED, TILE, vignette=0.4, gain=0.2)
    true = (grid.true - grid.true.min(axis=0)).astype(int)
    extent = true.max(axis=0) + TILE
    spread = {}
    for corrected in (False, True):
        settings = {"correct_illumination": corrected}
        name = "yes" if corrected else "no"
        volume, _ = stitch(grid.voxels, grid.nominal, settings, name=name)
        fused = whole(volume)[4:-4]
        expected = scene[tuple(slice(n) for n in extent)][4:-4]
        ratio = fused[fused > 0] / expected[fused > 0]
        spread[corrected] = ratio.std() / ratio.mean()
    assert spread[True] < 0.35 * spread[False]


@pytest.mark.parametrize("blending", ["linear", "average"])
def test_a_single_tile_comes_out_as_it_went_in(stitch, blending):
    tile = np.random.default_rng(3).integers(0, 65536, (9, 20, 31)).astype(np.uint16)
    volume, places = stitch([tile], [[5, 6, 7]], {"blending": blending})
    assert np.array_equal(whole(volume), tile)
    assert np.array_equal(places["voxels"], [[5, 6, 7]])
    assert not places["by_neighbours"].any()


def test_two_tiles_are_enough(stitch, grid):
    _, places = stitch(grid.voxels[:2], grid.nominal[:2])
    found = places["voxels"][1] - places["voxels"][0]
    assert np.abs(found - (grid.true[1] - grid.true[0])).max() < 0.1


def test_a_hole_in_the_grid_stays_empty(stitch, scene, cut):
    nominal = np.array([[0, 42 * r, 50 * c] for r, c in product(range(3), range(3))])
    moved = np.random.default_rng(5).integers(-2, 3, (9, 3))
    grid = cut(scene, nominal, nominal + moved, (20, 52, 62))
    keep = [0, 1, 2, 3, 5, 6, 7, 8]
    volume, places = stitch([grid.voxels[i] for i in keep], nominal[keep])
    off = places["voxels"] - grid.true[keep]
    assert np.abs(off - off.mean(axis=0)).max() < 0.1
    assert not whole(volume)[:, 60:80, 68:88].any()


def test_a_tile_without_content_moves_with_its_neighbours(stitch, store, scene, cut):
    moved = np.array([[1, 3, -2], [1, 4, -2], [1, 3, -2], [1, 3, -2]])
    grid = cut(scene, NOMINAL, NOMINAL + moved, TILE)
    random = np.random.default_rng(1)
    blank = random.integers(0, 5, TILE).astype(np.uint16)
    _, places = stitch([*grid.voxels[:3], blank], grid.nominal)
    assert places["by_neighbours"].tolist() == [False, False, False, True]
    summary = json.loads(report(store, "stitch.json"))["summary"]
    assert summary["tiles_placed_by_neighbours"] == ["tile_003.npy"]
    assert b"Placed by their neighbours: tile_003.npy" in report(store, "index.html")


def test_empty_tiles_stay_where_the_stage_put_them(stitch):
    volume, places = stitch([np.zeros(TILE, np.uint16)] * 4, NOMINAL)
    assert np.array_equal(places["voxels"], NOMINAL)
    assert not whole(volume).any()


def test_voxels_that_are_not_a_number_are_left_to_the_neighbour(stitch, grid):
    voxels = [v.astype(np.float32) for v in grid.voxels]
    voxels[0][:, 65:, :] = np.nan
    voxels[1][3:5] = np.nan
    volume, places = stitch(voxels, grid.nominal)
    assert grid.error(places["voxels"]) < 0.2
    assert np.isfinite(whole(volume)).all()


def test_tiles_may_differ_in_shape(stitch, grid):
    voxels = [*grid.voxels[:3], np.ascontiguousarray(grid.voxels[3][:, :60, :80])]
    _, places = stitch(voxels, grid.nominal)
    assert grid.error(places["voxels"]) < 0.05


def test_planes_are_stitched_like_volumes(stitch, scene, cut):
    flat = np.repeat(scene[:1], 4, axis=0)
    moved = MOVED * [0, 1, 1]
    grid = cut(flat, NOMINAL, NOMINAL + moved, (1, 70, 88))
    _, places = stitch(grid.voxels, grid.nominal)
    assert grid.error(places["voxels"]) < 0.1


def test_every_channel_moves_with_the_one_compared(stitch, grid):
    blank = np.zeros(TILE, np.uint16)
    voxels = [np.stack([blank + 7, v]) for v in grid.voxels]
    volume, places = stitch(voxels, grid.nominal, {"channel": 1})
    assert grid.error(places["voxels"]) < 0.05
    first = volume.read(Box.of_shape(volume.info.shape), channel=0)
    assert set(np.unique(first)) <= {0, 7}


def test_what_the_camera_holds_fixed_does_not_win_over_content(stitch, scene, cut):
    """Stripes fixed to the camera repeat in every tile and would pull tiles onto one another."""
    grid = cut(scene, NOMINAL, NOMINAL + MOVED, TILE)
    stripes = 1 + 0.1 * np.sin(np.arange(TILE[2]) * 2 * np.pi / 9)
    voxels = [np.rint(v * stripes).astype(np.uint16) for v in grid.voxels]
    _, places = stitch(voxels, grid.nominal)
    assert grid.error(places["voxels"]) < 0.5


def test_the_report_lists_every_pair(stitch, store, grid):
    stitch(grid.voxels, grid.nominal)
    rows = list(csv.DictReader(io.StringIO(report(store, "pairs.csv").decode())))
    assert len(rows) == 6
    assert {row["used"] for row in rows} <= {"True", "False"}
    for row in rows:
        if row["used"] == "True":
            assert float(row["residual_voxels"]) < 1
    assert report(store, "seams.png").startswith(b"\x89PNG")
    assert json.loads(report(store, "stitch.json"))["summary"]["pairs"] == 6


@pytest.mark.parametrize("block", [(64, 64, 64), (7, 33, 41), (24, 11, 200)])
@pytest.mark.parametrize("blending", ["linear", "average"])
def test_the_block_shape_changes_no_bit(stitch, grid, block, blending):
    settings = {"blending": blending}
    cut, _ = stitch(grid.voxels, grid.nominal, settings, name="cut", block_voxels=block)
    plain, _ = stitch(grid.voxels, grid.nominal, settings, name="plain")
    assert cut.info.digest == plain.info.digest


def test_tiles_that_do_not_meet_are_refused(stitch, grid):
    with pytest.raises(CallError, match=r"no two of the 4 tiles overlap .*check the unit"):
        stitch(grid.voxels, grid.nominal * 10)


def test_a_channel_that_is_not_there_is_refused(stitch, grid):
    with pytest.raises(CallError, match=r"channel=3, but the tiles have 1 channel"):
        stitch(grid.voxels, grid.nominal, {"channel": 3})


@pytest.mark.parametrize(
    ("name", "value"), [("min_confidence", 1.5), ("max_shift_um", -1), ("blending", "magic")]
)
def test_a_setting_out_of_bounds_is_named(stitch, grid, name, value):
    with pytest.raises(CallError, match=name):
        stitch(grid.voxels, grid.nominal, {name: value})
