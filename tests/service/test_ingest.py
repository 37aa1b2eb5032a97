"""From files on disk to things in the store: what was seen, what came in, what was refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from gateway.errors import (
    CorruptionError,
    ExistsError,
    FormatError,
    NotFoundError,
    PlanError,
    RunCancelledError,
    RunError,
)
from gateway.run.events import TaskDone
from gateway.run.plan import RunOptions
from gateway.service.gateway import Gateway
from gateway.service.ingest import IngestOptions, ingest, link, links_in_place, recognise
from gateway.volumes.box import Box
from gateway.volumes.dataset import DatasetInfo, read_dataset
from gateway.volumes.open import open_ref
from gateway.volumes.ref import Ref, parse_ref

UM = (5.0, 2.0, 2.0)
RAW = parse_ref("m1/raw")
ONE = RunOptions(workers=1)
SAID = IngestOptions(voxel_um=UM)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    voxels = np.random.default_rng(2).integers(0, 4000, (70, 90, 80)).astype("u2")
    tifffile.imwrite(tmp_path / "stack.tif", voxels, compression="zlib")
    return tmp_path / "stack.tif"


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    folder = tmp_path / "scope"
    folder.mkdir()
    for c in range(3):
        voxels = np.random.default_rng(c).integers(0, 999, (6, 20, 16)).astype("u2")
        tifffile.imwrite(folder / f"t_r0_c{c}.tif", voxels)
    rows = "\n".join(f"t_r0_c{c}.tif,0,{14 * c},{14 * c + 0.5}" for c in range(3))
    (folder / "positions.csv").write_text(f"file,nominal_y,nominal_x,true_x\n{rows}\n")
    return folder


def test_a_stack_comes_in_whole(gateway: Gateway, stack: Path) -> None:
    result = ingest(gateway, stack, RAW, SAID, run=ONE)
    volume = open_ref(gateway.store, RAW)
    np.testing.assert_array_equal(volume[0][0], tifffile.imread(stack))
    assert volume.info.voxel_um == UM
    assert volume.info.made_by == result.run_id
    (record,) = gateway.catalogue.runs(with_sources=True)
    (source,) = record.sources
    assert (source.path, source.size) == (str(stack), stack.stat().st_size)
    assert source.checksum.startswith("blake3:")


def test_the_same_call_again_finds_it_done_another_is_refused(
    gateway: Gateway, stack: Path
) -> None:
    ingest(gateway, stack, RAW, SAID, run=ONE)
    assert ingest(gateway, stack, RAW, SAID, run=ONE).already_done
    with pytest.raises(ExistsError, match=r"m1/raw already exists"):
        ingest(gateway, stack, RAW, IngestOptions(voxel_um=(1, 1, 1)), run=ONE)


def test_files_that_changed_are_another_source(gateway: Gateway, stack: Path) -> None:
    ingest(gateway, stack, RAW, SAID, run=ONE)
    tifffile.imwrite(stack, np.zeros((5, 6, 7), "u2"))
    with pytest.raises(ExistsError, match=r"m1/raw already exists"):
        ingest(gateway, stack, RAW, SAID, run=ONE)


def test_it_continues_where_it_was_stopped(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "long.npy"
    np.save(path, np.random.default_rng(0).integers(0, 99, (300, 160, 150)).astype("u1"))
    done: list[int] = []

    def stop(event: Any) -> None:
        if isinstance(event, TaskDone) and event.name == "image":
            done.append(event.task)
            if len(done) == 1:
                raise KeyboardInterrupt

    with pytest.raises(RunCancelledError, match="same command again to continue"):
        ingest(gateway, path, RAW, SAID, run=ONE, listeners=[stop])
    assert open_ref_or_none(gateway) is None
    first = list(done)
    result = ingest(gateway, path, RAW, SAID, run=ONE, listeners=[stop])
    assert result.resumed
    assert set(done[1:]).isdisjoint(first)
    np.testing.assert_array_equal(open_ref(gateway.store, RAW)[0][0], np.load(path))


def open_ref_or_none(gateway: Gateway) -> Any:
    try:
        return open_ref(gateway.store, RAW)
    except NotFoundError:
        return None


@pytest.mark.parametrize("memory", [2_000_000_000, 400_000_000])
@pytest.mark.parametrize("strip", [1024, 16])
def test_memory_and_strips_do_not_change_the_result(
    gateway: Gateway, tmp_path: Path, memory: int, strip: int
) -> None:
    voxels = np.random.default_rng(1).integers(0, 999, (130, 300, 400)).astype("u2")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, voxels, compression="zstd", rowsperstrip=strip)
    options = RunOptions(workers=1, memory_bytes=memory)
    ingest(gateway, path, RAW, SAID, run=options)
    volume = open_ref(gateway.store, RAW)
    np.testing.assert_array_equal(volume[0][0], voxels)
    plain = tmp_path / "plain.npy"
    np.save(plain, voxels)
    result = ingest(gateway, plain, Ref("m1", "plain"), SAID, run=ONE)
    assert result.outputs["image"].digest == volume.info.digest


def test_times_and_channels_come_in(gateway: Gateway, tmp_path: Path) -> None:
    voxels = np.random.default_rng(1).integers(0, 999, (3, 2, 20, 150, 140)).astype("u2")
    path = tmp_path / "a.npy"
    np.save(path, voxels)
    said = IngestOptions(voxel_um=UM, channel_names=("a", "b"))
    ingest(gateway, path, RAW, said, run=ONE)
    volume = open_ref(gateway.store, RAW)
    assert (volume.info.times, [c.name for c in volume.info.channels]) == (3, ["a", "b"])
    np.testing.assert_array_equal(volume[0], voxels)
    for time in range(3):
        for channel in range(2):
            box = Box.of_shape(volume.info.levels[1].shape)
            coarse = volume.read(box, level=1, channel=channel, time=time)
            assert abs(coarse.mean() - voxels[time, channel].mean()) < 2


def test_labels_become_labels(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(1).integers(0, 9, (20, 30, 40)).astype("i4"))
    result = ingest(gateway, path, RAW, IngestOptions(voxel_um=UM, kind="labels"), run=ONE)
    assert set(result.outputs) == {"labels"}
    assert open_ref(gateway.store, RAW).info.dtype == "uint32"


def test_a_corrupt_file_leaves_nothing_and_says_where(gateway: Gateway, stack: Path) -> None:
    with tifffile.TiffFile(stack) as tiff:
        offset = tiff.pages[66].dataoffsets[0]
    content = bytearray(stack.read_bytes())
    content[offset : offset + 60] = bytes(60)
    stack.write_bytes(content)
    with pytest.raises(RunError, match=rf"block .*stack\.tif, page 66, segment 0 at byte {offset}"):
        ingest(gateway, stack, RAW, SAID, run=ONE)
    assert open_ref_or_none(gateway) is None


def test_nan_where_integers_belong_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    voxels = np.ones((9, 10, 11))
    voxels[4, 5, 6] = np.nan
    np.save(tmp_path / "a.npy", voxels)
    said = IngestOptions(voxel_um=UM, as_dtype="uint16")
    with pytest.raises(RunError, match=r"nan at voxel \(4, 5, 6\)"):
        ingest(gateway, tmp_path / "a.npy", RAW, said, run=ONE)


def test_tiles_are_copied_with_their_checksums(gateway: Gateway, tiles: Path) -> None:
    result = ingest(gateway, tiles, RAW, SAID, run=ONE)
    grid = open_ref(gateway.store, RAW)
    assert [t.nominal_voxels for t in grid.tiles] == [(0, 0, 0), (0, 0, 14), (0, 0, 28)]
    assert grid.tiles[2].extra == {"true_x": 28.5}
    assert grid.made_by == result.run_id
    for i, tile in enumerate(grid.tiles):
        assert grid.path(i).read_bytes() == (tiles / tile.file).read_bytes()
        voxels = grid.source(i).read(Box.of_shape(tile.shape))[0]
        np.testing.assert_array_equal(voxels, tifffile.imread(tiles / tile.file))
    report = json.loads(gateway.store.get("m1/raw.report/sources.json"))
    assert [r["checksum"] for r in report] == [t.checksum for t in grid.tiles]


def test_tiles_stay_in_place(gateway: Gateway, tiles: Path) -> None:
    said = IngestOptions(voxel_um=UM, in_place=True)
    assert not links_in_place(tiles, said)
    ingest(gateway, tiles, RAW, said, run=ONE)
    copied = ingest(gateway, tiles, Ref("m1", "copy"), SAID, run=ONE)
    grid = open_ref(gateway.store, RAW)
    assert grid.digest == copied.outputs["tiles"].digest
    assert gateway.store.list("m1/raw.tiles").files == ("tiles.json",)
    (tiles / "t_r0_c1.tif").write_bytes(b"II*\0")
    with pytest.raises(CorruptionError, match=r"t_r0_c1\.tif .*changed since it was registered"):
        grid.source(1)


def test_tiles_that_cannot_fit_are_refused_with_numbers(
    gateway: Gateway, tiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(gateway.store), "free_bytes", lambda _: 1000)
    with pytest.raises(
        PlanError, match=r"are [\d,]+ bytes and .* has 1,000 bytes free.*--in-place"
    ):
        ingest(gateway, tiles, RAW, SAID, run=ONE)
    assert gateway.store.list("").folders == ()


def test_a_zarr_is_linked_and_a_tiff_is_not(gateway: Gateway, stack: Path, tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(8, 9, 10), dtype="u2", chunks=(4, 4, 4))
    array[:] = 7
    said = IngestOptions(voxel_um=UM, in_place=True, axes="zyx")
    assert links_in_place(tmp_path / "a.zarr", said)
    link(gateway, tmp_path / "a.zarr", RAW, said)
    assert (open_ref(gateway.store, RAW)[0] == 7).all()
    with pytest.raises(FormatError, match=r"stack\.tif cannot be registered in place.*leave out"):
        link(gateway, stack, Ref("m1", "b"), said)


def test_it_says_what_it_saw_before_writing(gateway: Gateway, stack: Path, tiles: Path) -> None:
    seen = recognise(stack)
    assert str(seen) == (
        "stack.tif: 70 x 90 x 80 uint16 (image), 1 channel (0), unknown voxel size; TIFF, 1 file"
    )
    assert seen.to_json()["voxel_um"] is None
    assert str(recognise(tiles, SAID)).startswith("scope: 3 tiles of 6 x 20 x 16 uint16")
    with pytest.raises(FormatError, match=r"stack\.tif does not say .* --voxel-um 5,2,2"):
        ingest(gateway, stack, RAW)
    assert gateway.store.list("").folders == ()


@pytest.mark.parametrize(
    ("make", "said", "error", "words"),
    [
        (lambda _: Path("nowhere.tif"), SAID, NotFoundError, "no file or folder nowhere.tif"),
        (lambda p: p, IngestOptions(voxel_um=(0, 1, 1)), FormatError, "not possible"),
        (lambda p: p, IngestOptions(overlap=0.1), FormatError, "speak of tiles; name the folder"),
    ],
)
def test_wrong_sources_are_refused(
    stack: Path, make: Callable[[Path], Path], said: IngestOptions, error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        recognise(make(stack), said)


def test_the_sample_is_described_and_stays_described(
    gateway: Gateway, stack: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text("species: Mus musculus\nstain: cFos\ntags: [a, b]\n")
    said = IngestOptions(voxel_um=UM, sheet=sheet, dataset=DatasetInfo(stain="TH", title="Brain"))
    ingest(gateway, stack, RAW, said, run=ONE)
    info = read_dataset(gateway.store, "m1")
    assert (info.species, info.stain, info.title, info.tags) == (
        "Mus musculus", "TH", "Brain", ("a", "b"),
    )  # fmt: skip
    again = IngestOptions(voxel_um=UM, dataset=DatasetInfo(sample="42"))
    ingest(gateway, stack, Ref("m1", "more"), again, run=ONE)
    info = read_dataset(gateway.store, "m1")
    assert (info.species, info.sample) == ("Mus musculus", "42")
    sheet.write_text("specie: mouse\n")
    with pytest.raises(FormatError, match="unknown field 'specie'; known are title, sample"):
        ingest(gateway, stack, Ref("m1", "third"), said, run=ONE)


@pytest.mark.data
def test_real_tiles_and_channels(gateway: Gateway, data_dir: Path) -> None:
    ingest(gateway, data_dir / "tiles_pub_cellfinder3d", RAW, SAID, run=ONE)
    grid = open_ref(gateway.store, RAW)
    assert len(grid.tiles) == 6
    assert grid.tiles[1].extra["true_x"] == 206.0
    folder = data_dir / "nuclei_cellfinder_lightsheet"
    ingest(gateway, folder, Ref("m1", "two"), SAID, run=ONE)
    volume = open_ref(gateway.store, Ref("m1", "two"))
    for i, name in enumerate(("ch0_signal.tif", "ch1_background.tif")):
        np.testing.assert_array_equal(volume[0][i], tifffile.imread(folder / name))
