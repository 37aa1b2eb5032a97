"""A flipped byte anywhere in a dataset is found, and the file and the place are named."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile
from blake3 import blake3

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import NotFoundError
from gateway.records.recorder import record_run
from gateway.records.runs import PortRecord, RunRecord
from gateway.service.gateway import Gateway
from gateway.service.ingest import IngestOptions, ingest, link
from gateway.service.verification import verify
from gateway.volumes.box import Box
from gateway.volumes.dataset import DatasetInfo, entry_key, write_dataset
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.points import write_points
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import Store
from gateway.volumes.tiles import Tile, TileGridInfo, write_tiles
from gateway.volumes.writer import create_volume

SHAPE = (70, 130, 90)


def make_volume(store: Store, ref: str, kind: str, dtype: str) -> str:
    draw = np.random.default_rng(3)
    channels = (Channel(name="a"), Channel(name="b"))
    info = VolumeInfo(
        kind=kind, dtype=dtype, shape=SHAPE, voxel_um=(2.0, 1.0, 1.0), channels=channels
    )
    reduce = reduce_mean if kind == "image" else reduce_mode
    writer = create_volume(store, entry_key(parse_ref(ref), kind), info, reduce)
    voxels = draw.integers(0, 200, (2, *SHAPE)).astype(dtype)
    cells = [writer.write(Box.of_shape(SHAPE), voxels)]
    cells += [
        writer.write_level(level, Box.of_shape(writer.info.levels[level].shape))
        for level in range(writer.derived + 1, len(writer.info.levels))
    ]
    return writer.finish(cells, "r1").digest


def make_points(store: Store, ref: str) -> str:
    draw = np.random.default_rng(4)
    columns = {name: draw.random(500) * 50 for name in ("z_um", "y_um", "x_um")}
    return write_points(store, entry_key(parse_ref(ref), "points"), columns, made_by="r1")


def make_tiles(store: Store, ref: str) -> str:
    key = entry_key(parse_ref(ref), "tiles")
    tiles = []
    for number in range(2):
        content = bytes([number]) * 300
        store.put(f"{key}/t{number}.tif", content)
        tiles.append(
            Tile(
                file=f"t{number}.tif",
                nominal_voxels=(0.0, 0.0, 10.0 * number),
                shape=(3, 10, 10),
                checksum=f"blake3:{blake3(content).hexdigest()}",
                bytes=300,
            )
        )
    info = TileGridInfo(
        tiles=tuple(tiles),
        voxel_um=(1.0, 1.0, 1.0),
        dtype="uint8",
        channels=(Channel(name="0"),),
        made_by="r1",
    )
    return write_tiles(store, key, info)


@pytest.fixture
def dataset(gateway: Gateway) -> Gateway:
    """Return a gateway with one recorded dataset that has a thing of every kind."""
    store = gateway.store
    write_dataset(store, "m1", DatasetInfo(title="A mouse"))
    store.put("m1/raw.report/report.html", b"<p>all went well</p>")
    store.put(
        "m1/to_atlas.transform.json", b'{"coordinateTransformations": [{"type": "identity"}]}'
    )
    digests = {
        ("image", "m1/raw", "image"): make_volume(store, "m1/raw", "image", "uint16"),
        ("labels", "m1/cells", "labels"): make_volume(store, "m1/cells", "labels", "uint32"),
        ("points", "m1/nuclei", "points"): make_points(store, "m1/nuclei"),
        ("tiles", "m1/tiles", "tiles"): make_tiles(store, "m1/tiles"),
        ("transform", "m1/to_atlas", "transform"): None,
    }
    outputs = tuple(
        PortRecord(port=port, ref=ref, kind=kind, digest=digest)
        for (port, ref, kind), digest in digests.items()
    )
    now = datetime(2026, 5, 4, tzinfo=UTC)
    run = RunRecord(
        id="r1", tool="all", version="1", image="", call={}, call_digest="", status="done",
        started=now, ended=now, gateway="0", outputs=outputs,
    )  # fmt: skip
    record_run(store, gateway.catalogue, run)
    return gateway


def files(gateway: Gateway) -> Iterator[Path]:
    for path in sorted((Path(gateway.store.url) / "m1").rglob("*")):
        if path.is_file():
            yield path


def key_of(gateway: Gateway, path: Path) -> str:
    return path.relative_to(gateway.store.url).as_posix()


def test_an_untouched_dataset_is_whole(dataset: Gateway) -> None:
    report = verify(dataset, "m1")
    assert report.ok
    assert report.faults == report.unrecorded == ()
    assert report.entries == 5
    assert report.voxels > 2 * 2 * SHAPE[0] * SHAPE[1] * SHAPE[2]


def test_a_flipped_bit_in_any_file_is_found_and_the_file_is_named(dataset: Gateway) -> None:
    draw = random.Random(11)  # noqa: S311 - places to damage, not secrets
    for path in files(dataset):
        good = path.read_bytes()
        for place in {draw.randrange(len(good)) for _ in range(4)} | {0, len(good) - 1}:
            bad = bytearray(good)
            bad[place] ^= 1 << draw.randrange(8)
            path.write_bytes(bad)
            named = [fault.file for fault in verify(dataset, "m1").faults]
            assert key_of(dataset, path) in named, (path, place)
        path.write_bytes(good)
    assert verify(dataset, "m1").ok


def test_a_file_that_is_gone_is_found(dataset: Gateway) -> None:
    for path in files(dataset):
        good = path.read_bytes()
        path.unlink()
        faults = {fault.file: fault.what for fault in verify(dataset, "m1").faults}
        assert "gone" in faults[key_of(dataset, path)]
        path.write_bytes(good)


def test_damaged_voxels_are_named_by_level_and_box(dataset: Gateway) -> None:
    path = next(p for p in files(dataset) if "raw.ome.zarr/1/c/" in p.as_posix())
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    (fault,) = verify(dataset, "m1").faults
    assert fault.level == 1
    assert fault.ref == "m1/raw"
    assert fault.box
    assert "cannot be decoded or fail their checksum" in str(fault)


def test_a_shard_put_in_the_place_of_another_is_found(dataset: Gateway) -> None:
    first, second, *_ = (p for p in files(dataset) if "raw.ome.zarr/0/c/" in p.as_posix())
    first.write_bytes(second.read_bytes())
    faults = verify(dataset, "m1").faults
    assert [fault.file for fault in faults] == [key_of(dataset, first)]
    assert "voxels differ from those that were written" in faults[0].what


def test_a_file_nobody_recorded_is_told_apart(dataset: Gateway) -> None:
    dataset.store.put("m1/notes.txt", b"by hand")
    report = verify(dataset, "m1")
    assert report.ok
    assert report.unrecorded == ("m1/notes.txt",)


def test_progress_ends_at_the_total(dataset: Gateway) -> None:
    told: list[tuple[int, int]] = []
    verify(dataset, "m1", progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 0


def test_a_dataset_that_is_not_there_is_named(gateway: Gateway) -> None:
    with pytest.raises(NotFoundError, match="no dataset 'm9'"):
        verify(gateway, "m9")


def test_a_link_to_voxels_elsewhere_is_covered_too(dataset: Gateway) -> None:
    link(dataset, Path(dataset.store.url) / "m1" / "raw.ome.zarr", parse_ref("m2/linked"))
    assert verify(dataset, "m2").ok
    assert verify(dataset, "m2").unrecorded == ()
    path = Path(dataset.store.url) / "m2" / "linked.link.json"
    path.write_bytes(path.read_bytes().replace(b"uint16", b"uint18"))
    assert [fault.file for fault in verify(dataset, "m2").faults] == ["m2/linked.link.json"]


def test_a_tile_registered_in_place_is_covered_too(gateway: Gateway, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    folder.mkdir()
    voxels = np.random.default_rng(0).integers(0, 255, (2, 5, 20, 20)).astype(np.uint8)
    for number in range(2):
        tifffile.imwrite(folder / f"tile_r0_c{number}.tif", voxels[number])
    options = IngestOptions(voxel_um=(1.0, 1.0, 1.0), overlap=0.1, in_place=True)
    ingest(gateway, folder, parse_ref("m3/tiles"), options)
    assert verify(gateway, "m3").faults == verify(gateway, "m3").unrecorded == ()
    path = folder / "tile_r0_c1.tif"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [fault.file for fault in verify(gateway, "m3").faults] == [str(path)]
