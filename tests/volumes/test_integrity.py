"""A volume that changed after it was written is found out, byte by byte."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorstore as ts

from gateway.errors import GatewayError, NotFoundError
from gateway.volumes.box import Box
from gateway.volumes.integrity import check_cells
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.volume import open_volume

KEY = "m1/raw.ome.zarr"
INFO = VolumeInfo(
    kind="image",
    dtype="uint8",
    shape=(100, 140, 130),
    voxel_um=(1.0, 1.0, 1.0),
    channels=(Channel(name="a"), Channel(name="b")),
)


@pytest.fixture
def volume(store, write_volume):
    voxels = np.random.default_rng(0).integers(1, 255, INFO.array_shape, np.uint8)
    return write_volume(store, KEY, INFO, voxels)


def shards(store, level):
    return sorted(p for p in store.local_path(f"{KEY}/{level}/c").rglob("*") if p.is_file())


def test_an_unchanged_volume_has_no_findings(volume):
    assert list(check_cells(volume)) == []
    assert list(check_cells(volume, threads=3)) == []


def test_a_film_is_checked_too(store, write_volume):
    film = replace(INFO, times=2, shape=(3, 65, 66))
    voxels = np.random.default_rng(0).integers(1, 255, film.array_shape, np.uint8)
    assert list(check_cells(write_volume(store, "m1/film.ome.zarr", film, voxels))) == []


@pytest.mark.usefixtures("volume")
def test_a_changed_voxel_is_found_in_its_cell(store):
    spec = {"driver": "zarr3", "kvstore": store.kvstore(f"{KEY}/0")}
    ts.open(spec, open=True).result()[1, 70, 3, 129] = 0
    (finding,) = check_cells(open_volume(store, KEY))
    assert (finding.level, finding.channel) == (0, 1)
    assert finding.box == Box((64, 0, 128), (100, 64, 130))
    assert finding.reason == "its voxels differ from those that were written"


def test_a_chunk_that_does_not_decode_is_found_and_the_check_goes_on(store, volume):
    for level in (0, 1):
        path = shards(store, level)[0]
        content = bytearray(path.read_bytes())
        content[100] ^= 16
        path.write_bytes(content)
    findings = list(check_cells(volume))
    assert [finding.level for finding in findings] == [0, 1]
    assert "fail their checksum" in findings[0].reason
    assert findings[0].box == Box((0, 0, 0), (64, 64, 64))
    assert findings[0].file == f"{KEY}/0/c/0/0/0/0"


def test_a_lost_shard_is_found(store, volume):
    shards(store, 0)[0].unlink()
    findings = list(check_cells(volume))
    assert {finding.level for finding in findings} == {0}
    assert {finding.channel for finding in findings} == {0}
    assert {finding.reason for finding in findings} == {"the file is gone"}


@pytest.mark.usefixtures("volume")
def test_any_flipped_byte_of_any_file_is_found(store):
    random = np.random.default_rng(3)
    root = store.local_path(KEY)
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        good = path.read_bytes()
        for place in [0, len(good) - 2, *random.integers(0, len(good), 3)]:
            bad = bytearray(good)
            bad[place] ^= 1 << int(random.integers(8))
            path.write_bytes(bad)
            try:
                found = list(check_cells(open_volume(store, KEY)))
            except GatewayError:
                found = ["it does not even open"]
            assert found, (path.relative_to(root), place)
        path.write_bytes(good)
    assert list(check_cells(open_volume(store, KEY))) == []


@pytest.mark.usefixtures("volume")
def test_changed_metadata_are_found(store):
    document = json.loads(store.get(f"{KEY}/zarr.json"))
    document["attributes"]["ome"]["omero"]["channels"][0]["label"] = "gfp"
    store.put(f"{KEY}/zarr.json", json.dumps(document).encode())
    (finding,) = check_cells(open_volume(store, KEY))
    assert finding.file == f"{KEY}/zarr.json"
    assert "are not those recorded" in finding.reason


def test_lost_hashes_are_found(store, volume):
    store.delete(f"{KEY}/0/cells.npy")
    (finding,) = check_cells(volume)
    assert finding.file == f"{KEY}/0/cells.npy"


@pytest.mark.usefixtures("volume")
def test_a_volume_without_a_record_cannot_be_checked(store):
    document = json.loads(store.get(f"{KEY}/zarr.json"))
    del document["attributes"]["gateway"]
    store.put(f"{KEY}/zarr.json", json.dumps(document).encode())
    with pytest.raises(NotFoundError, match="has no recorded digest to check it against"):
        list(check_cells(open_volume(store, KEY)))
