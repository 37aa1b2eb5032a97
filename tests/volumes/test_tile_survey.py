"""Finding tile grids in folders."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.tile_survey import TileOptions, check_alike, is_tile_folder, survey_tiles

READ = OpenOptions(voxel_um=(5, 2, 2))
OPTIONS = TileOptions(read=READ)


save = partial(tifffile.imwrite, photometric="minisblack")


def write_tiles(folder: Path, *, ome: bool = False) -> None:
    for r in range(2):
        for c in range(2):
            place = {"PositionX": [150.0 + 30 * c] * 3, "PositionY": [40.0 * r] * 3}
            metadata = {"axes": "ZYX", "Plane": place} if ome else None
            name = folder / f"t_r{r}_c{c}{'.ome' * ome}.tif"
            save(name, np.full((3, 20, 16), r + c, "u2"), metadata=metadata)


def test_names_of_stacks_tell_a_grid(tmp_path: Path) -> None:
    assert not is_tile_folder(tmp_path, OPTIONS)
    write_tiles(tmp_path)
    assert is_tile_folder(tmp_path, OPTIONS)
    survey = survey_tiles(tmp_path, TileOptions(overlap=0.25, read=READ))
    assert survey.nominal_voxels(3) == (0, 15, 12)


def test_places_come_from_the_stage(tmp_path: Path) -> None:
    write_tiles(tmp_path, ome=True)
    survey = survey_tiles(tmp_path, OPTIONS)
    assert survey.nominal_voxels(3) == (0, 20, 15)


def test_places_come_from_a_table_in_the_folder(tmp_path: Path) -> None:
    write_tiles(tmp_path)
    rows = [f"t_r{r}_c{c}.tif,{r},{c}" for r in range(2) for c in range(2)]
    (tmp_path / "positions.csv").write_text("file,nominal_y,nominal_x\n" + "\n".join(rows))
    assert survey_tiles(tmp_path, OPTIONS).nominal_voxels(2) == (0, 1, 0)


def test_no_place_at_all_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no folder"):
        survey_tiles(tmp_path / "none", OPTIONS)
    with pytest.raises(NotFoundError, match="holds no tiles"):
        survey_tiles(tmp_path, OPTIONS)
    write_tiles(tmp_path)
    with pytest.raises(FormatError, match=r"nothing says where .* --positions .* --overlap"):
        survey_tiles(tmp_path, OPTIONS)


def test_mixed_tiles_are_named(tmp_path: Path) -> None:
    write_tiles(tmp_path)
    save(tmp_path / "t_r1_c0.tif", np.zeros((3, 20, 15), "u2"))
    save(tmp_path / "t_r1_c1.tif", np.zeros((3, 20, 16), "u1"))
    options = TileOptions(overlap=0.1, read=READ)
    words = r"t_r1_c0\.tif \(\(3, 20, 15\) uint16.*t_r1_c1\.tif .*uint8.* differ from t_r0_c0"
    with pytest.raises(FormatError, match=words):
        check_alike(survey_tiles(tmp_path, options), options)
