import json
import socket
import time

import numpy as np
import pytest
import tifffile

from gateway.errors import FormatError, NotFoundError
from gateway.service import samples
from gateway.service.samples import fetch_sample, is_online, open_sample, synthesize_sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples") / "synthetic"
    return synthesize_sample(folder, shape=(20, 160, 220), count=80)


def test_a_made_sample_reads_back_as_it_was_described(sample):
    assert open_sample(sample.folder) == sample
    assert len(list(sample.folder.glob("*.tif"))) == 6


def test_a_made_sample_is_not_made_again(sample):
    before = (sample.folder / "sample.json").stat().st_mtime_ns
    synthesize_sample(sample.folder, shape=(20, 160, 220), count=80)
    assert (sample.folder / "sample.json").stat().st_mtime_ns == before


def test_true_positions_differ_from_nominal_ones(sample):
    true = sample.true_positions()
    assert sorted(true) == sorted(path.name for path in sample.folder.glob("*.tif"))
    assert any(z or y for z, y, _ in true.values())


def test_true_centres_are_bright_in_the_tiles_that_hold_them(sample):
    centres = sample.true_centres_um() / sample.voxel_um
    seen = 0
    for name, start in sample.true_positions().items():
        tile = tifffile.imread(sample.folder / name)
        at = np.rint(centres - start).astype(int)
        inside = ((at >= 2) & (at < np.array(tile.shape) - 2)).all(axis=1)
        values = tile[tuple(at[inside].T)]
        assert (values > np.median(tile)).mean() > 0.97
        seen += inside.sum()
    assert seen >= 30


def test_real_tiles_need_no_description(data_dir):
    sample = open_sample(data_dir / "tiles_pub_cellfinder3d")
    assert sample.voxel_um == (5.0, 2.0, 2.0)
    assert len(sample.true_positions()) == 6
    assert sample.true_centres_um() is None


def test_what_the_caller_knows_wins(sample):
    told = open_sample(sample.folder, voxel_um=(1.0, 1.0, 1.0), diameter_um=5.0)
    assert (told.voxel_um, told.diameter_um) == ((1.0, 1.0, 1.0), 5.0)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="nowhere is not a folder"):
        open_sample(tmp_path / "nowhere")


def test_a_folder_without_tiles_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="holds no TIFF file"):
        open_sample(tmp_path)


@pytest.mark.parametrize("text", ["{", json.dumps({"voxel_um": [1, 1, 1]}), '{"nonsense": 1}'])
def test_a_broken_description_is_named(tmp_path, text):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 2), np.uint8))
    (tmp_path / "sample.json").write_text(text)
    with pytest.raises(FormatError, match=r"sample\.json does not describe a sample"):
        open_sample(tmp_path)


def test_a_network_that_hangs_counts_as_none(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(samples, "_HOST", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert not is_online(patience_s=0.3)
        assert time.monotonic() - started < 2


def test_without_network_and_cache_there_is_no_real_sample(monkeypatch, tmp_path):
    monkeypatch.setattr(samples, "is_online", lambda: False)
    monkeypatch.setattr(samples.skimage.data, "data_dir", str(tmp_path))
    assert fetch_sample(tmp_path / "cells") is None


def test_real_cells_are_cut_where_they_can_be_had(monkeypatch, tmp_path):
    cells = np.random.default_rng(0).integers(0, 3000, (30, 2, 96, 96)).astype(np.uint16)
    monkeypatch.setattr(samples, "is_online", lambda: True)
    monkeypatch.setattr(samples.skimage.data, "cells3d", lambda: cells)
    sample = fetch_sample(tmp_path / "cells")
    assert sample.voxel_um == (0.29, 0.26, 0.26)
    assert len(sample.true_positions()) == 4
