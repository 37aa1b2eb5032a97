"""Stitching real content, cut with known errors of the stage: how far from the truth."""

import importlib.util

import numpy as np
import pytest
import tifffile

from gateway.algo.grid_solution import pack_pair, solve_grid
from gateway.algo.pair_shift import measure_shift
from gateway.algo.tile_layout import plan_layout

pytestmark = [pytest.mark.data, pytest.mark.slow]
WHOLE, FRACTION = 0.05, 0.3
"""Voxels of rms error allowed where the truth is whole voxels, and where it is not or the overlap
is narrow."""
SIGNAL = "nuclei_cellfinder_lightsheet/ch0_signal.tif"
BACKGROUND = "nuclei_cellfinder_lightsheet/ch1_background.tif"
BRAIN = "brainreg_mouse/input_brain_every2.tif"
CASES = {
    # name: source, grid, tile, overlap, sub-voxel truth, bar
    "ten percent": (SIGNAL, (3, 2), (24, 174, 166), 0.10, False, WHOLE),
    "ten percent, fractions": (SIGNAL, (3, 2), (24, 170, 164), 0.10, True, FRACTION),
    "eight percent": (BACKGROUND, (2, 2), (24, 240, 165), 0.08, False, WHOLE),
    "eight percent, fractions": (BACKGROUND, (2, 2), (24, 240, 160), 0.08, True, FRACTION),
    "five percent": (SIGNAL, (2, 2), (24, 250, 165), 0.05, False, FRACTION),
    "whole brain": (BRAIN, (2, 3), (60, 94, 92), 0.10, False, WHOLE),
    "whole brain, fractions": (BRAIN, (2, 3), (60, 88, 88), 0.10, True, FRACTION),
    "small tiles": (SIGNAL, (5, 3), (20, 110, 110), 0.15, False, WHOLE),
}


@pytest.fixture
def cut_real(data_dir, load_grid, tmp_path):
    """Cut tiles out of a real stack, each with its own error, vignette, gain and noise."""
    spec = importlib.util.spec_from_file_location("cut", data_dir / "scripts" / "make_tiles.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def cut(voxels, *settings, **options):
        module.make(voxels, tmp_path, *settings, **options)
        return load_grid(tmp_path)

    return cut


def place(grid):
    layout = plan_layout(
        grid.nominal,
        np.array([tile.shape for tile in grid.voxels]),
        voxel_um=(1.0, 1.0, 1.0),
        max_shift_um=0.0,
    )
    parts = []
    for index, pair in enumerate(layout.pairs):
        strips = layout.strips(pair)
        first = grid.voxels[pair.first][tuple(map(slice, strips.first_start, strips.first_stop))]
        second = grid.voxels[pair.second][
            tuple(map(slice, strips.second_start, strips.second_stop))
        ]
        centre = tuple(np.add(pair.displacement, strips.offset).tolist())
        found = measure_shift(first, second, centre, layout.window)
        parts.append(pack_pair(index, [c.moved(strips.offset) for c in found], []))
    solved = solve_grid(grid.nominal, layout.pairs, parts, channels=0, min_confidence=0.2)
    return solved["position"]


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("case", CASES)
def test_tiles_lie_where_they_were_cut(data_dir, cut_real, case, seed):
    source, shape, tile, overlap, fractions, bar = CASES[case]
    voxels = tifffile.imread(data_dir / source)
    grid = cut_real(voxels, shape, tile, overlap, seed, subpix=fractions)
    assert grid.error(place(grid)) <= bar


def test_seams_of_the_source_itself_do_not_mislead(data_dir, cut_real):
    halves = [tifffile.imread(data_dir / name) for name in (SIGNAL, BACKGROUND)]
    joined = np.concatenate([halves[0], halves[1][:, :, ::-1]], axis=2)
    grid = cut_real(joined, (2, 3), (24, 250, 232), 0.08, 4)
    assert grid.error(place(grid)) <= WHOLE


def test_a_pattern_repeated_in_the_source_does_not_mislead(data_dir, cut_real):
    """Dark lines every 60 voxels, as a mosaic that was stitched badly before would have."""
    source = tifffile.imread(data_dir / BACKGROUND).astype(np.float32)
    for axis in (1, 2):
        dark = 1 - 0.3 * (np.arange(source.shape[axis]) % 60 < 3)
        source = source * np.expand_dims(dark, [a for a in range(3) if a != axis])
    grid = cut_real(source, (3, 2), (24, 174, 166), 0.10, 4)
    assert grid.error(place(grid)) <= WHOLE


def test_the_published_grid_is_stitched_to_the_truth(data_dir, load_grid, stitch):
    grid = load_grid(data_dir / "tiles_pub_cellfinder3d")
    volume, places = stitch(grid.voxels, grid.nominal)
    assert grid.error(places["voxels"]) <= WHOLE
    extent = (grid.true.max(axis=0) - grid.true.min(axis=0) + grid.voxels[0].shape).astype(int)
    assert volume.info.shape == tuple(extent)
